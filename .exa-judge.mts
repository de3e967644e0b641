// usage: tsx .exa-judge.mts m1/01 [--only REGEX] : starter, solution, wrong/*, right/*, findings' answers
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { assemble, type Assembly } from "./scripts/exercise/assemble.ts";
import { listExerciseIds, loadExercise, resolveExerciseId } from "./scripts/exercise/exercise-spec.ts";
import { makeRunFolder, modulesBelow, removeRunFolder, runTests } from "./scripts/exercise/test-run.ts";
import { typeCheck } from "./scripts/exercise/type-check.ts";
const root = process.cwd();
const args = process.argv.slice(2);
const verbose = args.includes("-v");
const onlyAt = args.indexOf("--only");
const only = onlyAt === -1 ? undefined : new RegExp(args[onlyAt + 1] as string);
const id = resolveExerciseId(listExerciseIds(root), args[0] as string);
const exercise = loadExercise(root, id);
const folder = makeRunFolder(root);
const items: { name: string; want: string; a: Assembly }[] = [];
let n = 0;
const add = (name: string, want: string, ex: any, answer: any) => {
  if (only && !only.test(name)) return;
  items.push({ name, want, a: assemble(ex, answer, join(folder, "once", id, `x${n++}`, "t")) });
};
add("starter", "red", exercise, { kind: "starter" });
add("solution", "pass", exercise, { kind: "solution" });
for (const w of exercise.spec.wrongAnswers) add(`wrong/${w.file}`, w.fails.join(","), exercise, { kind: "wrong", wrong: w });
const named = new Set(exercise.spec.wrongAnswers.map((w) => w.file));
const wdir = join(exercise.solution, "wrong");
const replacesOf = (file: string, dir: string): string => {
  if (exercise.spec.files.length === 1) return exercise.spec.files[0] as string;
  const text = readFileSync(join(dir, file), "utf8").split("\n")[0] as string;
  for (const f of exercise.spec.files) if (readFileSync(join(exercise.solution, f), "utf8").split("\n")[0] === text) return f;
  throw new Error("?" + file);
};
for (const f of existsSync(wdir) ? readdirSync(wdir) : []) if (!named.has(f)) add(`wrong/${f} (new)`, "fail", { ...exercise, spec: { ...exercise.spec, wrongAnswers: [...exercise.spec.wrongAnswers, { file: f, replaces: replacesOf(f, wdir), fails: ["x"], because: "" }] } }, { kind: "wrong", wrong: { file: f, replaces: replacesOf(f, wdir), fails: ["x"], because: "" } });
const rdir = join(exercise.solution, "right");
for (const f of existsSync(rdir) ? readdirSync(rdir) : []) {
  const wrong = { file: `../right/${f}`, replaces: replacesOf(f, rdir), fails: ["x"], because: "" };
  add(`right/${f}`, "pass", { ...exercise, spec: { ...exercise.spec, wrongAnswers: [wrong] } }, { kind: "wrong", wrong });
}
const adir = join("/work/shared/findings/answers", id.slice(0, 5).replace("/", "-"));
for (const f of existsSync(adir) ? readdirSync(adir) : []) {
  const ws = join(root, "workspace", `${id}--${f}`);
  rmSync(ws, { recursive: true, force: true });
  mkdirSync(ws, { recursive: true });
  for (const x of readdirSync(join(adir, f))) if (x.endsWith(".ts")) cpSync(join(adir, f, x), join(ws, x));
  add(`answers/${f}`, f.startsWith("r-") ? "pass" : "fail", { ...exercise, workspace: ws }, { kind: "workspace" });
}
try {
  const [outcome, faults] = await Promise.all([runTests(folder, { stallMs: 30_000 }), args.includes("--no-types") ? [] : typeCheck(items.map((i) => i.a), folder)]);
  for (const f of faults) console.log("TYPE", items.find((i) => i.a === f.assembly)?.name, f.line, f.message);
  if (outcome.kind !== "finished") { console.log(JSON.stringify(outcome, null, 1).slice(0, 3000)); process.exit(1); }
  for (const { name, want, a } of items) {
    const mods = modulesBelow(outcome.results, a.folder);
    const errs = mods.flatMap((m) => m.errors);
    const tests = mods.flatMap((m) => m.tests);
    const failed = tests.filter((t) => t.state !== "passed");
    const ids = failed.map((t) => exercise.spec.tests.find((s) => s.title === t.title)?.id ?? `"${t.title}"`);
    const red = exercise.spec.tests.filter((t) => t.kind === "red").map((t) => t.id).join(",");
    const expect = want === "red" ? red : want === "pass" ? "" : want;
    const ok = errs.length === 0 && (want === "fail" ? ids.length > 0 : ids.join(",") === expect);
    console.log(`${ok ? "ok  " : "BAD "} ${name.padEnd(46)} ${errs[0]?.message ?? ""}${ids.join(",")}${ok ? "" : `   WANTED ${want === "fail" ? "some" : `[${expect}]`}`}`);
    for (const t of failed) { const d = t.errors[0]; if (!d?.detail) console.log("     ACCIDENT", t.title, d?.message); else if (verbose || (name.includes("(new)") )) console.log(`       ${t.title}\n         sent ${d.detail.sent.slice(0,300)}\n         expected ${d.detail.expected.slice(0,300)}\n         got ${d.detail.got.slice(0,300)}\n         likely ${d.detail.likely}`); }
  }
  const slow = modulesBelow(outcome.results, items[1]?.a.folder ?? "").flatMap((m) => m.tests).reduce((s, t) => s + t.durationMs, 0);
  console.log("solution ms", Math.round(slow), "tests in spec", exercise.spec.tests.length);
  for (const u of outcome.results.unhandled) { const o = items.find((i) => u.stack.includes(i.a.folder)); console.log("UNHANDLED", o?.name, u.message); }
} finally { removeRunFolder(folder); }
