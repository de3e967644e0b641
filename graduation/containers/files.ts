// What must hold of compose.yaml, Dockerfile and .dockerignore, told from the files alone: it needs no container engine.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { readSource } from "../../scripts/source-imports.ts";
import { readYaml, type Yaml } from "./compose-file.ts";

/** A file, and what is wrong with it. */
export interface FileFault {
  readonly where: string;
  readonly what: string;
}

export async function fileFaults(root: string): Promise<FileFault[]> {
  const text = (name: string) => readFileSync(join(root, name), "utf8");
  const compose = await readYaml(text("compose.yaml")).catch((error: unknown) => String(error));
  const ignored = text(".dockerignore");
  return [
    ...(typeof compose === "string" ? [compose] : composeFaults(root, compose)).map((what) => {
      return { where: "compose.yaml", what };
    }),
    ...dockerfileFaults(root, text("Dockerfile"), ignored).map((what) => ({ where: "Dockerfile", what })),
    ...ignoreFaults(root, ignored).map((what) => ({ where: ".dockerignore", what })),
  ];
}

const textOf = (value: Yaml | undefined) => (typeof value === "string" ? value : JSON.stringify(value ?? ""));
const listOf = (value: Yaml | undefined): readonly Yaml[] => (Array.isArray(value) ? value : []);
const entriesOf = (value: Yaml | undefined): [string, Yaml][] =>
  typeof value === "object" && !Array.isArray(value) ? Object.entries(value) : [];

export function composeFaults(root: string, compose: Yaml): string[] {
  const services = entriesOf(entriesOf(compose).find(([name]) => name === "services")?.[1]);
  if (services.length === 0) return ["it names no services"];
  return services.flatMap(([name, service]) =>
    serviceFaults(root, new Map(entriesOf(service))).map((what) => `${name}: ${what}`),
  );
}

function serviceFaults(root: string, service: ReadonlyMap<string, Yaml>): string[] {
  const faults: string[] = [];
  const must = (holds: boolean, what: string) => {
    if (!holds) faults.push(what);
  };
  must(service.get("read_only") === "true", "its root must be read_only");
  must(textOf(service.get("cap_drop")) === '["ALL"]', "cap_drop must be [ALL]");
  must(!service.has("cap_add") && !service.has("privileged"), "it needs no capability and no privilege");
  must(
    listOf(service.get("security_opt")).includes("no-new-privileges:true"),
    "no-new-privileges is missing",
  );
  must(/^\d+m$/.test(textOf(service.get("mem_limit"))), "its memory must be bounded with mem_limit");
  must(/^\d+$/.test(textOf(service.get("pids_limit"))), "its processes must be bounded with pids_limit");
  must(service.has("healthcheck") || service.has("profiles"), "it has no healthcheck");
  for (const each of listOf(service.get("ports")))
    must(textOf(each).startsWith("127.0.0.1:"), `${textOf(each)} must be published on 127.0.0.1 only`);
  const words = [...listOf(service.get("command")), ...entriesOf(service.get("healthcheck")).flat(2)].map(
    textOf,
  );
  for (const word of words.filter((each) => each.endsWith(".ts")))
    must(existsSync(join(root, word)), `it runs ${word}, which does not exist`);
  return faults;
}

/** What `.dockerignore` lets in, as paths. */
function lets(ignored: string): string[] {
  const lines = ignored.split("\n").map((line) => line.trim());
  return lines.filter((line) => line.startsWith("!")).map((line) => line.slice(1));
}

export function ignoreFaults(root: string, ignored: string): string[] {
  const lines = ignored.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const faults = lines[0] === "*" ? [] : ["its first line must be *: what is not named must stay out"];
  for (const path of lets(ignored)) {
    if (/node_modules|\.git|\.state|\*/.test(path)) faults.push(`!${path} lets in what must stay out`);
    else if (!existsSync(join(root, path))) faults.push(`!${path} names what does not exist`);
  }
  for (const pattern of ["**/node_modules", "**/.state"])
    if (!lines.includes(pattern)) faults.push(`${pattern} is missing, so a stage's own would get in`);
  return faults;
}

export function dockerfileFaults(root: string, dockerfile: string, ignored: string): string[] {
  const within = (path: string) => lets(ignored).some((each) => path === each || path.startsWith(`${each}/`));
  const copies = [...dockerfile.matchAll(/^COPY (?!--from)(.+)$/gm)].map(([, words = ""]) =>
    words.split(/\s+/),
  );
  const sources = copies.flatMap((words) => words.slice(0, -1));
  const missing = sources.filter((path) => !existsSync(join(root, path)));
  const left = sources.filter(
    (path) => !within(path) && !lets(ignored).some((each) => each.startsWith(`${path}/`)),
  );
  const faults = [
    ...missing.map((path) => `it copies ${path}, which does not exist`),
    ...left.map((path) => `it copies ${path}, which .dockerignore keeps out`),
    ...closureOf(root, ["start", "healthy", "ask", "admin-relay", "write-tables"])
      .filter((path) => !within(path))
      .map((path) => `${path} is imported in a container, and .dockerignore keeps it out`),
  ];
  const users = [...dockerfile.matchAll(/^USER (.+)$/gm)].map(([, user = ""]) => user);
  if (!/^[1-9]\d*(:[1-9]\d*)?$/.test(users.at(-1) ?? ""))
    faults.push("its last USER must be a number above 0");
  return faults;
}

/** The files of this project that these scripts import, and those which they import. Types are erased, and not imported. */
function closureOf(root: string, names: readonly string[]): string[] {
  const waiting = ["shared/cells/main.ts", ...names.map((name) => `graduation/containers/${name}.ts`)];
  const seen = new Set<string>(waiting);
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const file = join(root, path);
    if (!existsSync(file)) continue;
    const source = readFileSync(file, "utf8").replace(/^import type [^;]*;$/gm, "");
    for (const { specifier } of readSource(source).imports) {
      const target = posix.join(dirname(path), specifier);
      if (!specifier.startsWith(".") || seen.has(target)) continue;
      seen.add(target);
      waiting.push(target);
    }
  }
  return [...seen];
}
