// What `npm run graduate TOPIC` runs: each folder beside this file with a `demo.ts` is a topic.

import { spawnSync } from "node:child_process";

/** What a demo is given to speak with, and to know when to end. */
export interface Stage {
  /** Prints one line to whoever watches; nothing with `--json`. */
  readonly tell: (line: string) => void;
  /** Aborted by Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal;
  /** Whether the stack stays up after the demo until `signal`. */
  readonly stays: boolean;
}

/** A folder's `demo.ts` exports one of these as `topic`. */
export interface Topic {
  /** What it shows, as a sentence without a full stop. */
  readonly title: string;
  /** Programs that must be installed; without them the topic is skipped by name. */
  readonly engines: readonly EngineName[];
  /** Why it cannot run here, where more than an engine is needed; undefined when it can. */
  readonly missing?: () => string | undefined;
  /**
   * Runs the narrated demo on 127.0.0.1. Resolves with facts that it has seen, for `--json`.
   * @throws BrokenPromiseError when the engine does otherwise than promised
   */
  readonly run: (stage: Stage) => Promise<Readonly<Record<string, unknown>>>;
}

/** How an engine is found, and how its version is read. */
const engines = {
  haproxy: { program: "haproxy", args: ["-v"], version: /version (\S+)/, debian: "haproxy" },
  nginx: { program: "nginx", args: ["-v"], version: /nginx\/(\S+)/, debian: "nginx-light" },
  etcd: { program: "etcd", args: ["--version"], version: /Version: (\S+)/, debian: "etcd-server" },
} as const;

export type EngineName = keyof typeof engines;

/** The version of an installed engine, or undefined. */
export function engineVersion(name: EngineName): string | undefined {
  const { program, args, version } = engines[name];
  // Debian keeps servers in a folder that not every user's PATH names.
  const env = { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/usr/local/sbin` };
  const { stdout, stderr, status } = spawnSync(program, args, { encoding: "utf8", env, timeout: 10_000 });
  if (status !== 0) return undefined;
  return version.exec(`${stdout}${stderr}`)?.[1];
}

/** The first engine that is missing, with the words that help; undefined when all are there. */
export function missingEngine(names: readonly EngineName[]): string | undefined {
  const missing = names.find((name) => engineVersion(name) === undefined);
  if (missing === undefined) return undefined;
  return `${missing} is not installed (Debian: apt-get install ${engines[missing].debian})`;
}
