// The mutants of the exercises that this branch changes. All of them take minutes: npm run exercise prove -- --all

import { type CheckResult, error } from "../check.ts";
import { listExerciseIds, loadExercise } from "../exercise/exercise-spec.ts";
import { mutateExercises } from "../exercise/mutation.ts";
import { runProgramFile } from "../run-tool.ts";

export const check = {
  name: "mutants",
  title: "The tests of the exercises that changed notice every slip, or it is named as equivalent",
  order: 82,
  run,
};

async function run(root: string): Promise<CheckResult> {
  const changed = await changedFiles(root);
  const ids = listExerciseIds(root).filter((id) =>
    changed.some((file) => file.startsWith(`exercises/${id}/`) || file.startsWith(`solutions/${id}/`)),
  );
  // What cannot be loaded is named by the check `exercises`.
  const exercises = ids.flatMap((id) => {
    try {
      return [loadExercise(root, id)];
    } catch {
      return [];
    }
  });
  const results = await mutateExercises(exercises);
  const mutants = results.reduce((sum, result) => sum + result.mutants.length, 0);
  const findings = results.flatMap((result) => result.findings);
  if (exercises.length > 0 && mutants === 0 && findings.length === 0)
    findings.push(error("exercises", "not one mutant was made: nothing was proven"));
  const of = `${exercises.length} of ${listExerciseIds(root).length} exercises, which changed`;
  return { findings, looked: `${mutants} mutants of ${of}` };
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
