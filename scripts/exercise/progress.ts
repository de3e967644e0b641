// What the learner has done so far: `workspace/progress.json`, versioned and replaced atomically. It is a
// convenience, never a gate: a file that cannot be read is kept aside and a new one is begun.

import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import writeFileAtomic from "write-file-atomic";
import { z } from "zod";

const entrySchema = z.object({
  openedAt: z.string(),
  passedAt: z.string().optional(),
  /** How many hints were shown. */
  hints: z.int().min(0).default(0),
  sawSolution: z.boolean().default(false),
});

const progressSchema = z.object({
  version: z.literal(1),
  /** The exercise to resume. */
  current: z.string().optional(),
  exercises: z.record(z.string(), entrySchema),
});

export type Progress = z.infer<typeof progressSchema>;
export type ProgressEntry = z.infer<typeof entrySchema>;

export type LoadedProgress =
  | { readonly kind: "loaded"; readonly progress: Progress }
  | { readonly kind: "fresh"; readonly progress: Progress }
  /** The file could not be used and now lies at `keptAt`. */
  | {
      readonly kind: "corrupt";
      readonly progress: Progress;
      readonly keptAt: string;
      readonly reason: string;
    };

function progressFile(root: string): string {
  return join(root, "workspace", "progress.json");
}

function emptyProgress(): Progress {
  return { version: 1, exercises: {} };
}

/** @param nowIso Names the file that a corrupt one becomes. */
export function loadProgress(root: string, nowIso: string): LoadedProgress {
  const file = progressFile(root);
  if (!existsSync(file)) return { kind: "fresh", progress: emptyProgress() };
  try {
    return { kind: "loaded", progress: progressSchema.parse(JSON.parse(readFileSync(file, "utf8"))) };
  } catch (error) {
    const keptAt = `${file}.corrupt-${fileStamp(nowIso)}`;
    renameSync(file, keptAt);
    const reason = error instanceof z.ZodError ? "it is not a progress file of this version" : String(error);
    return { kind: "corrupt", progress: emptyProgress(), keptAt, reason };
  }
}

export async function saveProgress(root: string, progress: Progress): Promise<void> {
  const file = progressFile(root);
  mkdirSync(dirname(file), { recursive: true });
  await writeFileAtomic(file, `${JSON.stringify(progress, null, 2)}\n`);
}

/** The entry of an exercise, changed by `change`; begun at `nowIso` when it is new. Where the learner is stays as it was. */
export function updateEntry(
  progress: Progress,
  id: string,
  nowIso: string,
  change: Partial<ProgressEntry> = {},
): Progress {
  const entry = progress.exercises[id] ?? { openedAt: nowIso, hints: 0, sawSolution: false };
  return { ...progress, exercises: { ...progress.exercises, [id]: { ...entry, ...change } } };
}

/** An ISO time as part of a file name: no colons, which some file systems refuse. */
export function fileStamp(nowIso: string): string {
  return nowIso.replace(/[:.]/g, "-");
}
