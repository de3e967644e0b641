// usage: tsx .exa-mutate.mts m1/01 : StrykerJS on the assembled solution; only lines that differ from the starter are marked *
import { readFileSync, writeFileSync, existsSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { spawnSync } from "node:child_process";
import { assemble } from "./scripts/exercise/assemble.ts";
import { listExerciseIds, loadExercise, resolveExerciseId } from "./scripts/exercise/exercise-spec.ts";
import { makeRunFolder, removeRunFolder } from "./scripts/exercise/test-run.ts";
const root = process.cwd();
const id = resolveExerciseId(listExerciseIds(root), process.argv[2] as string);
const exercise = loadExercise(root, id);
const folder = makeRunFolder(root);
const target = join(folder, "once", "a", "b", "c", "d");
assemble(exercise, { kind: "solution" }, target);
const rel = relative(root, folder);
writeFileSync(join(folder, "vitest.config.mjs"), `export default { test: { root: ${JSON.stringify(folder)}, include: ["once/**/*.test.ts"], pool: "threads", testTimeout: 5000, setupFiles: [] } };`);
const report = join(folder, "report.json");
const config = {
  mutate: exercise.spec.files.map((f) => `${rel}/once/a/b/c/d/starter/${f}`),
  testRunner: "vitest", vitest: { configFile: join(folder, "vitest.config.mjs"), related: false },
  plugins: ["@stryker-mutator/vitest-runner"],
  reporters: ["json"], jsonReporter: { fileName: report },
  inPlace: true, coverageAnalysis: "perTest", concurrency: 2, tsconfigFile: "nothing.json", disableTypeChecks: false, checkers: [],
  timeoutMS: 6000, tempDirName: `${rel}/tmp`, allowConsoleColors: false, ignoreStatic: false, cleanTempDir: "always",
  ignorePatterns: ["**", `!${rel}/**`], logLevel: "warn", fileLogLevel: "off",
};
writeFileSync(join(folder, "stryker.json"), JSON.stringify(config));
const started = Date.now();
const env: any = { ...process.env }; for (const k of Object.keys(env)) if (k.startsWith("VITEST")) delete env[k];
const run = spawnSync(process.execPath, [join(root, "node_modules/@stryker-mutator/core/bin/stryker.js"), "run", join(folder, "stryker.json")], { cwd: root, encoding: "utf8", env });
if (!existsSync(report)) { console.log(run.stdout.slice(-3000), run.stderr.slice(-3000)); process.exit(1); }
const data = JSON.parse(readFileSync(report, "utf8"));
let killed = 0, total = 0, lk = 0, lt = 0; const out: string[] = [];
for (const [file, f] of Object.entries<any>(data.files)) {
  const name = file.split("/starter/")[1]!;
  const starter = new Set(readFileSync(join(exercise.folder, "starter", name), "utf8").split("\n").map((l) => l.trim()));
  const lines = f.source.split("\n");
  for (const m of f.mutants) {
    if (m.status === "Ignored" || m.status === "CompileError") continue;
    const dead = m.status === "Killed" || m.status === "Timeout";
    const line = lines[m.location.start.line - 1];
    const learner = !starter.has(line.trim());
    total++; if (dead) killed++;
    if (learner) { lt++; if (dead) lk++; }
    if (!dead) out.push(`${learner ? "*" : " "} ${name}:${m.location.start.line} ${m.mutatorName} ${m.status} -> ${String(m.replacement).slice(0, 80).replace(/\n/g, " ")}   | ${line.trim().slice(0, 90)}`);
  }
}
for (const o of out) console.log(o);
console.log(`${id}: all ${killed}/${total} = ${Math.round(100 * killed / total)} %, learner's lines ${lk}/${lt} = ${Math.round(100 * lk / lt)} % in ${Date.now() - started} ms`);
removeRunFolder(folder);
