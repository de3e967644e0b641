// One case of the fuzzer: this stage's parser and Node's read the same stream, and so does this stage's in pieces.

import { disagreement } from "../../../shared/fuzz/compare.ts";
import type { Case } from "../../../shared/fuzz/messages.ts";
import { readRequestsWithNode, readResponsesWithNode } from "../../../shared/fuzz/node-reader.ts";
import { type OurReading, readRequests, readResponses, splitAt } from "./http1-messages.ts";

export interface CaseResult {
  /** What is wrong, or undefined. */
  readonly fault: string | undefined;
  /** Messages that both parsers framed, and whether this one refused the stream. */
  readonly framed: number;
  readonly refused: boolean;
}

export function runCase(each: Case): CaseResult {
  const bytes = Buffer.from(each.stream, "latin1");
  const ours = readOurs(each, [bytes]);
  const node =
    each.direction === "requests"
      ? readRequestsWithNode(bytes)
      : readResponsesWithNode(each.methods, each.ended, bytes);
  const framed = ours.messages.filter((message) => message.complete).length;
  const fault = disagreement(ours, node) ?? splitFault(each, bytes, ours);
  return { fault, framed, refused: ours.refusal !== undefined };
}

function readOurs(each: Case, pieces: readonly Buffer[]): OurReading {
  return each.direction === "requests"
    ? readRequests(...pieces)
    : readResponses(each.methods, each.ended, ...pieces);
}

/** How reading in pieces differs from reading at once, or undefined. What a refusal names may differ: of two faults, either may come first. */
function splitFault(each: Case, bytes: Buffer, whole: OurReading): string | undefined {
  if (each.cuts.length === 0) return undefined;
  const pieces = splitAt(bytes, each.cuts).filter((piece) => piece.length > 0);
  const split = readOurs(each, pieces);
  const summary = ({ messages, closed, refusal }: OurReading): string =>
    JSON.stringify([messages, closed, refusal !== undefined]);
  return summary(split) === summary(whole)
    ? undefined
    : `in pieces: ${summary(split)}, at once: ${summary(whole)}`;
}
