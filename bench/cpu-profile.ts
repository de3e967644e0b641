// Reads V8 CPU profiles (`node --cpu-prof`) into self time by function. Pure but for reading the file's text.

/** The parts of a .cpuprofile that are read. @see https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile */
export type CpuProfile = {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  /** Microseconds of the machine's monotonic clock, the one that `process.hrtime` reads on Linux. */
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
};

export type SelfTime = {
  /** `functionName file:line`, with the path shortened to what tells modules apart. */
  readonly where: string;
  /** Module the function belongs to: a stage's file, a package, `node:` or V8's own `(program)`. */
  readonly group: string;
  readonly selfMs: number;
};

/** A span of the monotonic clock, in microseconds. */
export type Span = { readonly fromUs: number; readonly toUs: number };

/** Self time by function over all profiles within `span`, largest first; idle time left out. */
export function selfTimes(profiles: readonly CpuProfile[], span: Span): SelfTime[] {
  const totals = new Map<string, { group: string; selfMs: number }>();
  for (const profile of profiles) {
    const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
    let atUs = profile.startTime;
    for (const [index, id] of profile.samples.entries()) {
      atUs += profile.timeDeltas[index] ?? 0;
      if (atUs < span.fromUs || atUs > span.toUs) continue;
      const frame = frames.get(id);
      if (frame === undefined || frame.functionName === "(idle)") continue;
      const where = `${frame.functionName || "(anonymous)"} ${shorten(frame.url)}:${frame.lineNumber + 1}`;
      const name = frame.url === "" ? frame.functionName || "(native)" : where;
      const total = totals.get(name) ?? { group: groupOf(frame.url, frame.functionName), selfMs: 0 };
      total.selfMs += (profile.timeDeltas[index] ?? 0) / 1000;
      totals.set(name, total);
    }
  }
  return [...totals].map(([where, total]) => ({ where, ...total })).sort((a, b) => b.selfMs - a.selfMs);
}

/** Self time by group, largest first. */
export function groupTimes(times: readonly SelfTime[]): Omit<SelfTime, "where">[] {
  const totals = new Map<string, number>();
  for (const { group, selfMs } of times) totals.set(group, (totals.get(group) ?? 0) + selfMs);
  return [...totals].map(([group, selfMs]) => ({ group, selfMs })).sort((a, b) => b.selfMs - a.selfMs);
}

function shorten(url: string): string {
  const afterModules = url.split("node_modules/").at(-1) ?? url;
  return afterModules.replace(/^file:\/\/.*\/(stages|bench|shared)\//, "$1/");
}

function groupOf(url: string, functionName: string): string {
  if (url === "") return functionName.startsWith("(") ? functionName : "native";
  if (url.startsWith("node:"))
    return url.startsWith("node:_http") ? "node:http" : url.split("/", 2).join("/");
  const packageName = /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules\/)/.exec(url)?.[1];
  return packageName ?? shorten(url);
}
