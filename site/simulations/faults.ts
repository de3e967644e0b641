// What is broken and when, as a text that fits into an address: "tier1_3000_9000.visa_5000_12000". A fault that a reader
// adds at a moment changes nothing before it, so the simulation can be run again and go on from there.

export interface Fault {
  readonly target: string;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** Faults of known targets, in order of time. What makes no sense is left out. */
export function readFaults(text: string, targets: Readonly<Record<string, string>>): Fault[] {
  return text
    .split(".")
    .flatMap((part) => {
      const [, target = "", from = "", until = ""] = /^([a-z\d-]+)_(\d{1,6})_(\d{1,6})$/.exec(part) ?? [];
      const fault = { target, fromMs: Number(from), untilMs: Number(until) };
      return Object.hasOwn(targets, target) && fault.fromMs < fault.untilMs ? [fault] : [];
    })
    .sort((a, b) => a.fromMs - b.fromMs || (a.target < b.target ? -1 : 1));
}

export function formatFaults(faults: readonly Fault[]): string {
  return faults.map(({ target, fromMs, untilMs }) => `${target}_${fromMs}_${untilMs}`).join(".");
}

export function isBroken(faults: readonly Fault[], target: string, atMs: number): boolean {
  return faults.some((fault) => fault.target === target && fault.fromMs <= atMs && atMs < fault.untilMs);
}

/** Breaks `target` from `atMs` to the end, or mends it when it is broken. Its later faults are forgotten. */
export function toggled(
  faults: readonly Fault[],
  target: string,
  atMs: number,
  durationMs: number,
): readonly Fault[] {
  const nowMs = Math.min(Math.round(atMs), durationMs - 1);
  const wasBroken = isBroken(faults, target, nowMs);
  const kept = faults.flatMap((fault) => {
    if (fault.target !== target || fault.untilMs <= nowMs) return [fault];
    return fault.fromMs < nowMs ? [{ ...fault, untilMs: nowMs }] : [];
  });
  const next = wasBroken ? kept : [...kept, { target, fromMs: nowMs, untilMs: durationMs }];
  return next.sort((a, b) => a.fromMs - b.fromMs);
}
