// Which exercises this branch changes: what takes long is proven for those, and for all of them by `exercise prove -- --all`.

import { runProgramFile } from "../run-tool.ts";
import { type Exercise, listExerciseIds, loadExercise } from "./exercise-spec.ts";

export interface ChangedExercises {
  readonly exercises: readonly Exercise[];
  /** `2 of 27 exercises, which changed` */
  readonly words: string;
}

export async function changedExercises(root: string): Promise<ChangedExercises> {
  const changed = await changedFiles(root);
  const ids = listExerciseIds(root);
  const exercises = ids
    .filter((id) =>
      changed.some((file) => file.startsWith(`exercises/${id}/`) || file.startsWith(`solutions/${id}/`)),
    )
    .flatMap((id) => {
      try {
        return [loadExercise(root, id)];
      } catch {
        // What cannot be loaded is named by the check `exercises`.
        return [];
      }
    });
  return { exercises, words: `${exercises.length} of ${ids.length} exercises, which changed` };
}

/** Files that differ from where this branch left `main`, committed or not; none where git knows no such place. */
async function changedFiles(root: string): Promise<string[]> {
  const git = async (...args: string[]) => {
    const { code, stdout } = await runProgramFile("git", args, { cwd: root });
    return code === 0 ? stdout.split("\0").join("\n").trim().split("\n") : [];
  };
  const [base = ""] = await git("merge-base", "HEAD", "main");
  const from = base === "" ? "HEAD" : base;
  const changed = await git("diff", "--name-only", "-z", "--relative", from);
  return [...changed, ...(await git("ls-files", "--others", "--exclude-standard", "-z"))];
}
