// Who may import whom. A stage's source stands on its own: its own files, Node and the packages that a learner
// installs. Its tests may use shared/ as well, and nobody reaches into another stage. The modules that decide use
// nothing of Node, neither themselves nor through what they import, because the site runs them in the browser. Nowhere do files
// import one another in a circle, and a part of m5 that claims to stand alone does.

import { existsSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, posix } from "node:path";
import { type CheckResult, error, type Finding } from "../check.ts";
import { importCircles } from "../import-circles.ts";
import { readSource, type SourceFacts } from "../source-imports.ts";
import { filesUnder, presentStages } from "../stages.ts";

export const check = {
  name: "imports",
  title: "Stages import ./ and packages only, decisions nothing of Node, and nobody in a circle",
  order: 30,
  fast: true,
  run,
};

/** Files of a stage's src that run in the browser too. */
const browserModules = [
  "routing",
  "routing-table",
  "protocol",
  "backoff",
  "circuit-breaker",
  "token-bucket",
  "concurrency-limit",
  "retry-budget",
  "retry-policy",
  "failover",
];
/** Packages that run in a browser. */
const browserPackages: ReadonlySet<string> = new Set(["zod"]);

type Facts = ReadonlyMap<string, SourceFacts>;

async function run(root: string): Promise<CheckResult> {
  const facts = new Map<string, SourceFacts>();
  const findings: Finding[] = [];
  const read = (file: string, into: Map<string, SourceFacts>): void => {
    try {
      into.set(file, readSource(readFileSync(join(root, file), "utf8")));
    } catch (thrown) {
      findings.push(
        error(file, `cannot be parsed: ${thrown instanceof Error ? thrown.message : String(thrown)}`),
      );
    }
  };
  for (const file of [...tree(root, "stages"), ...tree(root, "shared")]) read(file, facts);
  const tools = new Map<string, SourceFacts>();
  for (const file of ["bench", "graduation", "scripts"].flatMap((folder) => tree(root, folder)))
    read(file, tools);
  const packages = dependenciesOf(root);
  for (const [file, { imports }] of facts) {
    for (const { specifier, line } of imports) {
      const what = faultOf(file, specifier, packages, root);
      if (what !== undefined) findings.push(error(`${file}:${line}`, `imports "${specifier}": ${what}`));
    }
  }
  for (const stage of presentStages(root)) findings.push(...browserFaults(`stages/${stage}/src`, facts));
  for (const circle of [...importCircles(facts), ...importCircles(tools)]) {
    findings.push(
      error(circle[0] ?? "", `imports itself through ${[...circle.slice(1), circle[0]].join(" and ")}`),
    );
  }
  for (const [file, { imports }] of facts) findings.push(...closedFaults(file, imports));
  const count = [...facts.values()].reduce((total, { imports }) => total + imports.length, 0);
  return { findings, looked: `${count} imports in ${facts.size} files` };
}

function tree(root: string, folder: string): string[] {
  const files = filesUnder(join(root, folder)).filter((file) => file.endsWith(".ts"));
  return files.map((file) => `${folder}/${file}`);
}

interface Packages {
  /** What a learner's router needs to run. */
  readonly runtime: ReadonlySet<string>;
  readonly all: ReadonlySet<string>;
}

function dependenciesOf(root: string): Packages {
  const file = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    dependencies?: Record<string, string>;
    devDependencies?: Record<string, string>;
  };
  const runtime = new Set(Object.keys(file.dependencies ?? {}));
  return { runtime, all: new Set([...runtime, ...Object.keys(file.devDependencies ?? {})]) };
}

function faultOf(file: string, specifier: string, packages: Packages, root: string): string | undefined {
  const { home, isSource } = homeOf(file);
  if (specifier.startsWith(".")) {
    const target = posix.join(dirname(file), specifier);
    if (!home.some((folder) => target.startsWith(`${folder}/`)))
      return `only ${home.join(" and ")} may be imported here`;
    return existsSync(join(root, target)) ? undefined : "there is no such file; the name ends in .ts";
  }
  if (specifier.startsWith("node:")) return undefined;
  if (builtinModules.includes(specifier)) return `write it as node:${specifier}`;
  const name = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
  if ((isSource ? packages.runtime : packages.all).has(name)) return undefined;
  return `not among the ${isSource ? "dependencies" : "packages"} of package.json`;
}

/** Folders of a stage that import nothing of it from outside themselves, or from these folders only. */
const closed: readonly { readonly folder: RegExp; readonly may: readonly string[] }[] = [
  { folder: /^(stages\/m5\/src)\/http1\//, may: ["http1"] },
  { folder: /^(stages\/m5\/src)\/sockets\//, may: ["http1", "sockets"] },
];

function closedFaults(file: string, imports: SourceFacts["imports"]): Finding[] {
  const rule = closed.find(({ folder }) => folder.test(file));
  if (rule === undefined) return [];
  const [, src = ""] = rule.folder.exec(file) ?? [];
  return imports
    .filter(({ specifier }) => specifier.startsWith("."))
    .filter(({ specifier }) => {
      const target = posix.join(dirname(file), specifier);
      return !rule.may.some((folder) => target.startsWith(`${src}/${folder}/`));
    })
    .map(({ specifier, line }) =>
      error(`${file}:${line}`, `imports "${specifier}": only ${rule.may.join(" and ")} may be imported here`),
    );
}

/** The folders that a file may import from. */
function homeOf(file: string): { home: readonly string[]; isSource: boolean } {
  const [top = "", stage = "", part] = file.split("/");
  if (top === "shared") return { home: ["shared"], isSource: false };
  if (part === "src") return { home: [`stages/${stage}/src`], isSource: true };
  return { home: [`stages/${stage}`, "shared"], isSource: false };
}

function browserFaults(src: string, facts: Facts): Finding[] {
  const faults = new Map<string, Finding>();
  for (const file of browserModules.map((name) => `${src}/${name}.ts`).filter((path) => facts.has(path))) {
    for (const { where, what } of nodeUses(file, facts, new Set())) {
      const through = where.startsWith(`${file}:`) ? "" : `, which ${file} imports`;
      // One finding a place, however many modules reach it.
      const fault = error(where, `${what}${through}: this module has to run in the browser`);
      faults.set(where, faults.get(where) ?? fault);
    }
  }
  return [...faults.values()];
}

/** What `file`, and every file that it imports, takes from Node. */
function nodeUses(file: string, facts: Facts, seen: Set<string>): { where: string; what: string }[] {
  const own = facts.get(file);
  if (own === undefined || seen.has(file)) return [];
  seen.add(file);
  const uses = own.nodeGlobals.map(({ name, line }) => ({ where: `${file}:${line}`, what: `uses ${name}` }));
  for (const { specifier, line } of own.imports) {
    if (specifier.startsWith(".")) uses.push(...nodeUses(posix.join(dirname(file), specifier), facts, seen));
    else if (!browserPackages.has(specifier))
      uses.push({ where: `${file}:${line}`, what: `imports "${specifier}"` });
  }
  return uses;
}
