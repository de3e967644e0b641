// What an exercise is: the schema of `exercise.json`, where its parts lie, and how a learner names one.
// It reads descriptions only. Running tests, the learner's copies and the proof live in their own files.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { BrokenPromiseError, UsageError } from "../command-line.ts";

const slug = z.string().regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, "lower-case words joined by hyphens");
const sourceFile = z.string().regex(/^([a-z0-9-]+\/)*[a-z0-9-]+\.ts$/, "a .ts file, kebab-case");

const testSchema = z.strictObject({
  id: slug.describe("Short name, used in `wrongAnswers[].fails`."),
  title: z.string().min(10).describe("The title given to `test()`, word for word."),
  kind: z
    .enum(["red", "guard"])
    .describe("red: the starter fails it. guard: the starter passes it, and must go on passing it."),
});

const wrongAnswerSchema = z.strictObject({
  file: sourceFile.describe("The file in `wrong/`, named after the misconception."),
  replaces: sourceFile.describe("The editable file whose place it takes."),
  fails: z.array(slug).min(1).describe("The tests that it fails: these and no others."),
  because: z.string().min(40).describe("The sentence that corrects the misconception."),
});

const rightAnswerSchema = z.strictObject({
  file: sourceFile.describe("The file in `right/`, named after its style."),
  replaces: sourceFile.describe("The editable file whose place it takes."),
  because: z.string().min(40).describe("Why this counts as right, by the words of the README."),
});

const doneWhenSchema = z.strictObject({
  line: z
    .string()
    .min(10)
    .describe('A bullet of "Done when", word for word; a `;` or `.` at its end may be left out.'),
  tests: z.array(slug).min(1).describe("The tests that hold it."),
});

const equivalentMutantSchema = z.strictObject({
  file: sourceFile.describe("The editable file in which the mutant stands."),
  line: z.string().min(1).describe("The source line at which the mutant begins, trimmed."),
  mutant: z
    .string()
    .min(1)
    .describe(
      "What takes the place of the code, as `exercise mutate` prints it, or the name of the mutator for all of them.",
    ),
  because: z.string().min(20).describe("Why no caller can tell the mutant from the original."),
});

const mutateAlsoSchema = z.strictObject({
  file: sourceFile.describe("An editable file."),
  lines: z
    .array(z.string().min(1))
    .min(1)
    .describe("Lines, trimmed, that starter and solution share and a promise of the README is about."),
});

const overlaySchema = z.strictObject({
  stage: z.enum(["m1", "m2", "m3", "m4", "m5"]),
  files: z
    .record(sourceFile, sourceFile)
    .describe("Exercise file (an editable one, or an adapter `overlay/NAME.ts`) → file in the stage's src."),
});

export const exerciseSchema = z.strictObject({
  $schema: z.string().optional(),
  id: z.string().regex(/^m[1-5]\/[0-9]{2}-[a-z0-9-]+$/, "mN/NN-name, as the folder"),
  title: z.string().min(5),
  milestone: z.enum(["m1", "m2", "m3", "m4", "m5"]),
  minutes: z.int().min(5).max(120).describe("Time that a learner should set aside."),
  files: z.array(sourceFile).min(1).describe("The editable files: everything in `starter/`."),
  siteAnchor: z
    .string()
    .regex(/^m[1-5](#[a-z0-9-]+)?$/)
    .describe("The section of the site that teaches this: page, then `#heading`."),
  tests: z.array(testSchema).min(3).describe("In the order in which a learner should make them pass."),
  wrongAnswers: z.array(wrongAnswerSchema).min(3),
  rightAnswers: z
    .array(rightAnswerSchema)
    .optional()
    .describe("Honest answers in another style; every test accepts them."),
  doneWhen: z
    .array(doneWhenSchema)
    .optional()
    .describe(
      'Each bullet of "Done when", in order, and the tests that hold it. Every test holds one at least.',
    ),
  equivalentMutants: z
    .array(equivalentMutantSchema)
    .optional()
    .describe("Mutants that no test can kill, each with the reason."),
  mutateAlso: z
    .array(mutateAlsoSchema)
    .optional()
    .describe("Lines to mutate beside those by which solution and starter differ."),
  from: z
    .record(
      sourceFile,
      z.string().regex(/^stages\/m[1-5]\/src\/([a-z0-9-]+\/)*[a-z0-9-]+\.ts$/, "stages/mN/src/NAME.ts"),
    )
    .optional()
    .describe(
      "Editable file → the stage's file that is its solution; the solution's folder then has no copy of it.",
    ),
  overlay: overlaySchema.optional(),
});

export type ExerciseSpec = z.infer<typeof exerciseSchema>;
export type WrongAnswer = ExerciseSpec["wrongAnswers"][number];
export type RightAnswer = z.infer<typeof rightAnswerSchema>;

/** An exercise and the folders that belong to it, all absolute. */
export interface Exercise {
  readonly spec: ExerciseSpec;
  /** Root of the clone. */
  readonly root: string;
  /** `exercises/mN/NN-name`. */
  readonly folder: string;
  /** `solutions/mN/NN-name`. */
  readonly solution: string;
  /** `workspace/mN/NN-name`: the learner's copy. */
  readonly workspace: string;
}

/** Folder ids (`m1/01-route-lookup`) in the order in which a learner meets them. */
export function listExerciseIds(root: string): string[] {
  const base = join(root, "exercises");
  if (!existsSync(base)) return [];
  return readdirSync(base)
    .filter((name) => /^m[1-5]$/.test(name))
    .flatMap((milestone) =>
      readdirSync(join(base, milestone))
        .filter((name) => /^[0-9]{2}-/.test(name))
        .map((name) => `${milestone}/${name}`),
    )
    .sort();
}

/**
 * Reads and validates one description.
 * @throws BrokenPromiseError that names every fault with its path in the file.
 */
export function loadExercise(root: string, id: string): Exercise {
  const folder = join(root, "exercises", id);
  const path = `exercises/${id}/exercise.json`;
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(join(folder, "exercise.json"), "utf8"));
  } catch (cause) {
    throw new BrokenPromiseError(`Cannot read ${path}: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  }
  const result = exerciseSchema.safeParse(parsed);
  if (!result.success) {
    const faults = result.error.issues.map((issue) => `${issue.path.join(".") || "(top)"}: ${issue.message}`);
    throw new BrokenPromiseError(`Cannot use ${path}: ${faults.join("; ")}`);
  }
  return {
    spec: result.data,
    root,
    folder,
    solution: join(root, "solutions", id),
    workspace: join(root, "workspace", id),
  };
}

/**
 * Finds the one exercise that a learner means: `m1/01-route-lookup`, `m1/01`, `01-route-lookup` or `route-lookup`.
 * @throws UsageError when none or several fit.
 */
export function resolveExerciseId(ids: readonly string[], wanted: string): string {
  const name = wanted.replace(/^exercises\//, "").replace(/\/$/, "");
  const matches = ids.filter((id) => {
    const folder = id.slice(id.indexOf("/") + 1);
    return (
      id === name || folder === name || folder.replace(/^[0-9]{2}-/, "") === name || id.startsWith(`${name}-`)
    );
  });
  const [only] = matches;
  if (matches.length === 1 && only !== undefined) return only;
  if (matches.length > 1) throw new UsageError(`Which one is "${wanted}": ${matches.join(", ")}?`);
  throw new UsageError(`There is no exercise "${wanted}". See: npm run exercise list`);
}

/** The JSON Schema that editors use to complete `exercise.json`; `npm run schema` writes it. */
export function exerciseJsonSchema(): unknown {
  return JSON.parse(JSON.stringify(z.toJSONSchema(exerciseSchema)));
}
