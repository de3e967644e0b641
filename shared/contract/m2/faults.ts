// Tables that must not be used. Each fault has to be named with its path, all of them at once; the traffic must not notice.

import { execFileSync } from "node:child_process";
import { mkdir, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { describe, expect, test } from "vitest";
import { form } from "../grades.ts";
import type { ReloadContract } from "./contract.ts";
import type { Table } from "./tables.ts";

type Case = readonly [what: string, break_: (table: Table) => unknown, fault: RegExp];

const faultyTables: readonly Case[] = [
  [
    "an unknown placement for a key",
    (t) => (t.routingTable["acme"] = "tier9"),
    /routingTable\.acme\b.*tier9/,
  ],
  ["an unknown default placement", (t) => (t.defaultPlacement = "tier9"), /defaultPlacement\b.*tier9/],
  ["a dedicated default placement", (t) => (t.defaultPlacement = "visa"), /defaultPlacement\b.*visa/],
  ["no default placement", (t) => delete (t as Partial<Table>).defaultPlacement, /defaultPlacement\b/],
  ["no version", (t) => delete (t as Partial<Table>).version, /version\b/],
  ["a version that is no text", (t) => (t["version"] = 7 as unknown as string), /version\b.*7/],
  ["no routing table", (t) => delete (t as Partial<Table>).routingTable, /routingTable\b/],
  ["a routing table that is a list", (t) => (t["routingTable"] = [] as never), /routingTable\b/],
  ["a placement that is no text", (t) => (t.routingTable["acme"] = ["tier1"]), /routingTable\.acme\b/],
  ["an empty key", (t) => (t.routingTable[""] = "tier1"), /routingTable\[""\]/],
  ["a key of 257 bytes", (t) => (t.routingTable["k".repeat(257)] = "tier1"), /routingTable\.k+…?.*256/],
  [
    "a key of 258 bytes in 129 letters",
    (t) => (t.routingTable["é".repeat(129)] = "tier1"),
    /routingTable.*256/,
  ],
  ["a key with space around it", (t) => (t.routingTable[" acme"] = "tier1"), /routingTable\[" acme"\]/],
  ["a key with a line feed", (t) => (t.routingTable["ac\nme"] = "tier1"), /routingTable\["ac\\nme"\]/],
  // What a program makes of bytes that are no UTF-8: many different keys would be this one.
  ["a key with U+FFFD", (t) => (t.routingTable["caf\ufffd"] = "visa"), /routingTable\["caf\ufffd"\]/],
  ["no placements", (t) => delete (t as Partial<Table>).placements, /placements\b/],
  ["a placement that is null", (t) => (t.placements["tier1"] = null), /placements\.tier1\b/],
  [
    "a placement without an endpoint",
    (t) => (t.placements["tier1"] = { kind: "tier" }),
    /placements\.tier1\.url/,
  ],
  [
    "an unknown kind",
    (t) => (t.placements["tier1"] = { ...object(t, "tier1"), kind: "shared" }),
    /tier1\.kind.*shared/,
  ],
  [
    "an unknown property of a placement",
    (t) => (t.placements["tier1"] = { ...object(t, "tier1"), ur: 1 }),
    /tier1\.ur\b/,
  ],
  ["an unknown property", (t) => (t["placments"] = {}), /placments\b/],
  [
    "a name that is no header value",
    (t) => (t.placements["a\r\nb"] = object(t, "tier1")),
    /placements\["a\\r\\nb"\]/,
  ],
  [
    "a dedicated endpoint that two share",
    (t) => (t.placements["twin"] = object(t, "visa")),
    /placements\.\w+\.url\b/,
  ],
  ...["localhost", "LOCALHOST.", "127.1", "0x7f000001", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]"].map(
    (host): Case => [
      `a dedicated endpoint that is shared as ${host}`,
      (t) => (t.placements["twin"] = { kind: "tier", url: at(host, t, "visa") }),
      /placements\.twin\.url\b.*visa.*twin/,
    ],
  ),
  ...[
    "not a url",
    "127.0.0.1:9001",
    "https://127.0.0.1:9001",
    "ftp://127.0.0.1:9001",
    "http://127.0.0.1:9001/path",
    "http://127.0.0.1:9001?query",
    "http://127.0.0.1:9001#fragment",
    "http://user:password@127.0.0.1:9001",
    "http://",
    "http://127.0.0.1:0",
    "http://127.0.0.1:70000",
    "http://127.0.0.1:9001\\@elsewhere",
    "http://127.0.0.1 :9001",
    " http://127.0.0.1:9001",
    "http://*:9001",
    "http://%2a:9001",
    "http://$HOST:9001",
    "http://it's:9001",
    "http://a;b:9001",
    "http://a{b}:9001",
  ].map(
    (url): Case => [
      `the endpoint ${JSON.stringify(url)}`,
      (t) => (t.placements["tier1"] = { kind: "tier", url }),
      /placements\.tier1\.url/,
    ],
  ),
];

const notEvenJson = [
  ["nothing", ""],
  ["half an object", '{"version":'],
  ["two documents", "{}{}"],
  ["a number", "42"],
  ["null", "null"],
  ["a list", "[]"],
  ["bytes that are not UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
  ["zeros", Buffer.alloc(4096)],
  ["deep nesting", "[".repeat(100_000)],
] as const;

function object(table: Table, placement: string): object {
  return table.placements[placement] as object;
}

/** A placement's endpoint with another name for its address. */
function at(host: string, table: Table, placement: string): string {
  const { url } = table.placements[placement] as { url: string };
  return `http://${host}:${new URL(url).port}`;
}

/** What can stand where the file should be, and what the router must find; `undo` ends what the test itself holds. */
const notAFile: readonly (readonly [
  what: string,
  put: (path: string) => Promise<Server | undefined>,
  fault: RegExp,
])[] = [
  ["a folder", async (path) => void (await mkdir(path)), /folder|directory/i],
  ["a named pipe that nobody writes to", async (path) => void execFileSync("mkfifo", [path]), /pipe/],
  ["a link to a device without end", async (path) => void (await symlink("/dev/zero", path)), /device/],
  ["a link to itself", async (path) => void (await symlink(path, path)), /symbolic links|ELOOP/],
  ["a socket", listening, /socket/],
  [
    "a file without end",
    async (path) => {
      await writeFile(path, "{");
      // Takes no room on the disk.
      await truncate(path, 2 ** 40);
    },
    /larger/,
  ],
];

async function listening(path: string): Promise<Server> {
  const server = createServer();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject).listen(path, resolve);
  await promise;
  return server;
}

export function describeFaults(contract: ReloadContract): void {
  describe("a table that is not valid", () => {
    test.each(faultyTables)("is refused for %s", async (_, break_, fault) => {
      const before = await contract.config();
      const table = contract.table();
      break_(table);
      await contract.write(table);
      const after = await contract.complains(fault);
      expect({ ...after, lastError: null }).toEqual({ ...before, lastError: null });
      expect(await contract.served("acme")).toBe("tier1 by tier1 because tier");
    });

    test.each(notEvenJson)("is refused when the file holds %s", async (_, content) => {
      await contract.write(content as string);
      await contract.complains();
      expect(await contract.served("acme")).toBe("tier1 by tier1 because tier");
    });

    test("is refused when a key stands there twice, with another placement each time", async () => {
      const text = contract.text(contract.table());
      await contract.write(text.replace('"acme":', '"acme": "tier2", "\\u0061cme":'));
      await contract.complains(/routingTable\.acme\b/);
      expect(await contract.served("acme")).toBe("tier1 by tier1 because tier");
    });

    test.skipIf(process.platform === "win32").each(notAFile)(
      "is refused when %s stands there",
      async (_, put, fault) => {
        await rm(contract.file);
        const server = await put(contract.file);
        try {
          await contract.complains(fault);
          expect(await contract.served("acme")).toBe("tier1 by tier1 because tier");
        } finally {
          server?.close();
          await rm(contract.file, { recursive: true, force: true });
        }
        const table = contract.table((each) => (each.routingTable["acme"] = "tier2"));
        await contract.apply(table);
        expect(await contract.served("acme")).toBe("tier2 by tier2 because tier");
      },
    );

    test("has all of its faults named at once", form, async () => {
      await contract.write(
        contract.table((table) => {
          table.defaultPlacement = "nowhere";
          table.routingTable["acme"] = "elsewhere";
          table.placements["tier1"] = { kind: "shared", url: "ftp://x" };
          table["extra"] = true;
        }),
      );
      const { lastError } = await contract.complains(/extra/);
      const said = lastError?.faults.join("\n") ?? "";
      for (const path of [
        "defaultPlacement",
        "routingTable.acme",
        "placements.tier1.kind",
        "placements.tier1.url",
        "extra",
      ])
        expect(said).toContain(path);
      expect(Date.parse(lastError?.at ?? "")).not.toBeNaN();
    });

    test("is forgotten as soon as it is mended", async () => {
      const table = contract.table((each) => (each.routingTable["acme"] = "tier9"));
      await contract.write(table);
      await contract.complains(/tier9/);
      table.routingTable["acme"] = "tier2";
      await contract.write(table);
      expect((await contract.uses(table)).lastError).toBeNull();
      expect(await contract.served("acme")).toBe("tier2 by tier2 because tier");
    });

    test("does not make the router less ready", async () => {
      await contract.write("{");
      await contract.complains();
      expect((await contract.admin("/readyz")).status).toBe(200);
    });
  });
}
