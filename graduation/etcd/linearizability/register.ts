// The specification: one table that is only changed by compare-and-swap. Pure; every checker here goes by it.

import { isNewer, type Operation, type Version, valueAfter } from "./history.ts";

export interface RegisterState {
  readonly value: string;
  /** The newest version that has a name. */
  readonly version: Version;
  /**
   * False after a write of which no client was told the version: the table has a newer one than `version`, and the first
   * who sees it names it.
   */
  readonly isNamed: boolean;
}

/** The table after `operation`; undefined when the table could not have answered like this, or nothing was asked of it. */
export function apply(state: RegisterState, operation: Operation): RegisterState | undefined {
  if (operation.kind === "get") {
    return operation.value === state.value ? seenAs(state, operation.version) : undefined;
  }
  const { ifMatch, outcome } = operation;
  switch (outcome.kind) {
    case "refused":
      return undefined;
    case "conflict":
      // Nobody can send a version that nobody has seen: who sees it for the first time names it.
      return state.isNamed && state.version === ifMatch ? undefined : state;
    case "stored": {
      const before = seenAs(state, ifMatch);
      if (before === undefined || !isNewer(outcome.version, before.version)) return undefined;
      return { value: valueAfter(state.value, operation), version: outcome.version, isNamed: true };
    }
    case "unknown": {
      const before = seenAs(state, ifMatch);
      return before && { ...before, value: valueAfter(state.value, operation), isNamed: false };
    }
    default:
      return outcome satisfies never;
  }
}

function seenAs(state: RegisterState, version: Version): RegisterState | undefined {
  if (state.isNamed) return state.version === version ? state : undefined;
  return isNewer(version, state.version) ? { ...state, version, isNamed: true } : undefined;
}

/** Whether an operation leaves the table as it is, in every state that allows it. */
export function changesNothing(operation: Operation): boolean {
  return operation.kind === "get" || operation.outcome.kind === "conflict";
}

/** Whether an operation need not have happened. */
export function isOptional(operation: Operation): boolean {
  return operation.kind !== "get" && operation.outcome.kind === "unknown";
}
