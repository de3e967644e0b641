import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { projectRoot } from "../../scripts/stages.ts";
import { parseRoutingTable } from "../../stages/m4/src/routing-table.ts";
import { readYaml } from "./compose-file.ts";
import { composeFaults, dockerfileFaults, fileFaults, ignoreFaults } from "./files.ts";
import { tableForContainers, tableOf } from "./write-tables.ts";

const text = (name: string) => readFileSync(join(projectRoot, name), "utf8");

/** The file's text with one thing changed. A change that finds nothing would make its test pass for nothing. */
function changed(name: string, from: string, to: string): string {
  const before = text(name);
  expect(before).toContain(from);
  return before.replaceAll(from, to);
}

const faultsOfCompose = async (from: string, to: string) =>
  composeFaults(projectRoot, await readYaml(changed("compose.yaml", from, to)));

describe("the files of the containers", () => {
  it("are as they must be", async () => {
    expect(await fileFaults(projectRoot)).toEqual([]);
  });

  it.each([
    ["read_only: true", "read_only: false", /its root must be read_only/],
    ["cap_drop: [ALL]", "cap_drop: [NET_RAW]", /cap_drop must be/],
    ["no-new-privileges:true", "label:disable", /no-new-privileges is missing/],
    ["mem_limit: 256m", "mem_limit: '0'", /control-plane: its memory/],
    ["127.0.0.1:8081:8081", "8081:8081", /published on 127.0.0.1 only/],
    ["shared/cells/main.ts", "shared/cells/gone.ts", /gone.ts, which does not exist/],
    ["    build:", "    privileged: true\n    build:", /router: it needs no capability/],
  ])("are refused with %s as %s", async (from, to, words) => {
    expect((await faultsOfCompose(from, to)).join("\n")).toMatch(words);
  });

  it("are refused when a copied folder is missing, kept out, or lacks an import", () => {
    const dockerfile = text("Dockerfile");
    const ignored = text(".dockerignore");
    const moved = dockerfile.replace("COPY scripts scripts", "COPY tools scripts");
    expect(dockerfileFaults(projectRoot, moved, ignored).join("\n")).toMatch(/tools, which does not exist/);
    const without = ignored.replace("!scripts/http-request.ts\n", "");
    expect(dockerfileFaults(projectRoot, dockerfile, without)).toEqual([
      "scripts/http-request.ts is imported in a container, and .dockerignore keeps it out",
    ]);
  });

  it("are refused when the image's user is root", () => {
    const dockerfile = changed("Dockerfile", "USER 1000:1000", "USER root");
    expect(dockerfileFaults(projectRoot, dockerfile, text(".dockerignore")).join()).toMatch(/last USER/);
  });

  it("are refused when node_modules or .git get into the build", () => {
    for (const path of ["node_modules", ".git"])
      expect(ignoreFaults(projectRoot, `${text(".dockerignore")}!${path}\n`)).toHaveLength(1);
    expect(
      ignoreFaults(projectRoot, changed(".dockerignore", "*\n!package.json", "!package.json")),
    ).not.toEqual([]);
  });
});

describe("a Compose file as values", () => {
  it("has aliases and merge keys resolved, and what stands there wins", async () => {
    const yaml = "a: &a { x: 1, y: [p, 'q r'] }\nb:\n  <<: *a\n  x: 2\n";
    expect(await readYaml(yaml)).toEqual({ a: { x: "1", y: ["p", "q r"] }, b: { x: "2", y: ["p", "q r"] } });
  });

  it("is refused with the same key twice", async () => {
    await expect(readYaml("a: 1\na: 2\n")).rejects.toThrow(/"a" stands twice/);
  });
});

describe("the table that a volume begins with", () => {
  it.each(["m2", "m3", "m4", "m5"])("is %s's own, with each cell in the container of its name", (stage) => {
    const file = tableOf(join(projectRoot, "stages", stage));
    const result = parseRoutingTable(JSON.parse(tableForContainers(readFileSync(file ?? "", "utf8"))));
    if (!result.ok) throw new Error(result.faults.join("\n"));
    for (const { name, url } of result.table.placements.values()) expect(new URL(url).hostname).toBe(name);
    expect([...result.table.placements.keys()].sort()).toEqual(["tier1", "tier2", "tier3", "visa"]);
  });

  it("does not exist for m1, whose table is code", () => {
    expect(tableOf(join(projectRoot, "stages", "m1"))).toBeUndefined();
  });
});
