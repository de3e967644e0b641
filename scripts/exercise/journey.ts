// The bot journey's steps. It sees what a learner sees, output and exit codes, and looks into `workspace/` only to
// edit and to make sure that nothing was lost.

import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempDisposableSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { packageFile, runNode, runProgramFile } from "../run-tool.ts";
import { type Answer, answerSource, movedText } from "./answer-source.ts";
import { type Exercise, listExerciseIds, loadExercise } from "./exercise-spec.ts";
import { candidatesOf } from "./verdict.ts";

export interface Journey {
  /** How many steps went as a learner is told. */
  readonly steps: number;
  readonly exercises: readonly string[];
  /** The first step that did not, in words. */
  readonly fault: string | undefined;
}

/** What a step expected and did not see. */
class Astray extends Error {}

/** Goes through the first exercise of each milestone, in a fresh copy of the tree in a folder with spaces in its name. */
export async function takeJourney(root: string): Promise<Journey> {
  const ids = firstOfEachMilestone(listExerciseIds(root));
  using base = mkdtempDisposableSync(join(tmpdir(), "cell routing journey "));
  const traveller = new Traveller(join(realpathSync(base.path), "a fresh clone"));
  try {
    await copyTree(root, traveller.root);
    for (const id of ids) await traveller.takeExercise(id);
    await traveller.loseProgress();
    await traveller.expectCleanTree();
    return { steps: traveller.steps, exercises: ids, fault: undefined };
  } catch (thrown) {
    if (!(thrown instanceof Astray)) throw thrown;
    return { steps: traveller.steps, exercises: ids, fault: thrown.message };
  }
}

function firstOfEachMilestone(ids: readonly string[]): string[] {
  const milestones = new Set(ids.map((id) => id.slice(0, 2)));
  return [...milestones].flatMap((milestone) => ids.find((id) => id.startsWith(milestone)) ?? []);
}

/** What a fresh clone has: every file that git knows or would add, committed, and the installed packages. */
async function copyTree(root: string, target: string): Promise<void> {
  const listed = await runProgramFile("git", ["ls-files", "-co", "--exclude-standard", "-z"], { cwd: root });
  if (listed.code !== 0) throw new Error(`Cannot list the files of the tree: ${listed.output}`);
  for (const name of listed.output
    .split("\0")
    .filter((each) => each !== "" && existsSync(join(root, each)))) {
    mkdirSync(dirname(join(target, name)), { recursive: true });
    cpSync(join(root, name), join(target, name));
  }
  symlinkSync(packageFile("."), join(target, "node_modules"), "junction");
  const git = async (...args: string[]) => {
    const { code, output } = await runProgramFile("git", args, { cwd: target });
    if (code !== 0) throw new Error(`git ${args[0]} failed: ${output}`);
  };
  await git("init", "--quiet");
  // A link is no folder to .gitignore's `node_modules/`.
  writeFileSync(join(target, ".git", "info", "exclude"), "node_modules\n");
  await git("add", "--all");
  await git(
    "-c",
    "user.name=journey",
    "-c",
    "user.email=journey@localhost",
    "commit",
    "--quiet",
    "-m",
    "a fresh clone",
  );
}

class Traveller {
  readonly root: string;
  steps = 0;

  constructor(root: string) {
    this.root = root;
  }

  async takeExercise(id: string): Promise<void> {
    const exercise = loadExercise(this.root, id);
    await this.#open(exercise);
    await this.#hint(exercise);
    await this.#misunderstand(exercise);
    await this.#reset(exercise);
    await this.#solve(exercise);
    await this.#goOn(exercise);
  }

  async loseProgress(): Promise<void> {
    writeFileSync(join(this.root, "workspace", "progress.json"), '{"version":');
    await this.#step(
      "a corrupt progress file is kept aside",
      ["list"],
      0,
      /Progress could not be read.*is kept at/,
    );
  }

  /** `git pull` meets nothing of the learner's. */
  async expectCleanTree(): Promise<void> {
    const { output } = await runProgramFile("git", ["status", "--porcelain"], { cwd: this.root });
    if (output.trim() !== "") throw new Astray(`git sees what the learner did:\n${output}`);
    this.steps += 1;
  }

  async #open({ spec }: Exercise): Promise<void> {
    const first = spec.tests.find((test) => test.kind === "red");
    await this.#step(
      `open ${spec.id}: the task and the first failing test`,
      [spec.id],
      1,
      spec.title,
      "The outage behind it",
      `✗ ${first?.title}`,
    );
  }

  async #hint({ spec }: Exercise): Promise<void> {
    await this.#step("ask for a hint", ["hint"], 0, /^Hint 1 of [3-9]/m);
    await this.#step("ask for another one", ["hint"], 0, /^Hint 2 of [3-9]/m);
    await this.#step("ask for one that is not there", ["hint", "--number", "99"], 1, "There is no hint 99");
    if (spec.tests.length === 0) throw new Astray(`${spec.id} has no tests`);
  }

  /** A wrong answer of which the failing tests leave no doubt gets its sentence. */
  async #misunderstand(exercise: Exercise): Promise<void> {
    const { spec } = exercise;
    const wrong =
      spec.wrongAnswers.find((each) => candidatesOf(spec, each.fails).length === 1) ?? spec.wrongAnswers[0];
    if (wrong === undefined) throw new Astray(`${spec.id} has no wrong answers`);
    this.#write(exercise, { kind: "wrong", wrong });
    const verdict = await this.#json(["check", "--json"], 1);
    const found = (verdict["verdict"] as { misconceptions?: string[]; failing?: string[] }) ?? {};
    if (!found.misconceptions?.includes(wrong.because)) {
      throw new Astray(
        `${spec.id}: wrong/${wrong.file} fails ${found.failing}, and its sentence is not shown`,
      );
    }
    this.steps += 1;
  }

  async #reset(exercise: Exercise): Promise<void> {
    const { spec } = exercise;
    const before = spec.files.map((name) => readFileSync(join(exercise.workspace, name), "utf8"));
    const { archive } = await this.#json(["reset", "--json"], 0);
    const kept = spec.files.map((name) => readFileSync(join(this.root, String(archive), name), "utf8"));
    if (kept.join() !== before.join()) throw new Astray(`${spec.id}: reset lost what was there`);
    this.steps += 1;
    await this.#step("compare with the solution", ["diff"], 0, "yours", "solution");
  }

  async #solve(exercise: Exercise): Promise<void> {
    this.#write(exercise, { kind: "solution" });
    await this.#step("solve it", ["check"], 0, "✓ Done. Every test passes.");
    await this.#step("read why", ["solution"], 0, "Why");
    if (exercise.spec.overlay === undefined) return;
    const { stage } = exercise.spec.overlay;
    await this.#step(
      "serve real traffic",
      ["run", "--demo", "--port", "0"],
      0,
      `Serving ${stage} with your files laid over it`,
      "went as promised",
    );
  }

  /** Each command is a new process, so this is the restart as well. */
  async #goOn(exercise: Exercise): Promise<void> {
    const { exercise: following } = await this.#json(["next", "--json"], 0);
    const { exercises, current } = await this.#json(["list", "--json"], 0);
    const rows = exercises as { id: string; status: string }[];
    if (rows.find((row) => row.id === exercise.spec.id)?.status !== "done") {
      throw new Astray(`${exercise.spec.id} is solved, and not listed as done`);
    }
    this.steps += 1;
    if (following === null) return;
    if (current !== following) throw new Astray(`went on to ${following}, but ${current} is the current one`);
    const resumed = loadExercise(this.root, String(following));
    await this.#step(`restart and resume at ${following}`, [], 1, resumed.spec.title, "✗");
  }

  async #step(
    what: string,
    args: readonly string[],
    exitCode: number,
    ...expected: (string | RegExp)[]
  ): Promise<void> {
    const { code, output } = await this.#command(args);
    const problem =
      code === exitCode
        ? expected.find((each) => (typeof each === "string" ? !output.includes(each) : !each.test(output)))
        : `exit code ${exitCode}`;
    if (problem !== undefined) {
      throw new Astray(`${what}: expected ${problem}, got exit code ${code} and\n${output}`);
    }
    // The output went into a pipe, and NO_COLOR is set: not a single escape.
    if (output.includes("\u001b")) throw new Astray(`${what}: there are colours in a pipe`);
    this.steps += 1;
  }

  async #json(args: readonly string[], exitCode: number): Promise<Record<string, unknown>> {
    const { code, output } = await this.#command(args);
    if (code !== exitCode)
      throw new Astray(`${args[0]}: expected exit code ${exitCode}, got ${code} and\n${output}`);
    return JSON.parse(output) as Record<string, unknown>;
  }

  #command(args: readonly string[]) {
    return runNode(join(this.root, "scripts", "exercise.ts"), args, { cwd: this.root, timeoutMs: 120_000 });
  }

  #write(exercise: Exercise, answer: Answer): void {
    for (const name of exercise.spec.files) {
      const to = join(exercise.workspace, name);
      const source = answerSource(exercise, answer, name);
      writeFileSync(to, movedText(exercise, source, to, exercise.workspace));
    }
  }
}
