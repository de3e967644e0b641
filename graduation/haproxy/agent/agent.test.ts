// The agent's parts without a HAProxy: what it reads, what it compares, and how it speaks to a socket that misbehaves.

import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { encodeSnapshot } from "../../../stages/m4/src/protocol.ts";
import { parseRoutingTable, type RoutingTable } from "../../../stages/m4/src/routing-table.ts";
import { decodeTable } from "../../../stages/m4/src/table-decoder.ts";
import { mapEntries, mapFiles } from "../maps.ts";
import { driftOf, driftWords } from "./drift.ts";
import { digestOf, HaproxyFiles } from "./files.ts";
import { HaproxyReceiver } from "./receiver.ts";
import { RuntimeApi } from "./runtime-api.ts";
import { parseMap, parseMapValue, parseProcesses, parseServers, type ShownServer } from "./runtime-output.ts";
import { HaproxyRefusal, payloads } from "./worker.ts";

failOnLeaks();

const document = (routingTable: Record<string, string>, defaultPlacement = "tier1", port = 9001) => ({
  version: "1",
  defaultPlacement,
  routingTable,
  placements: {
    tier1: { kind: "tier", url: `http://127.0.0.1:${port}`, fallback: ["tier2"] },
    tier2: { kind: "tier", url: "http://[::1]:9002", concurrencyLimit: 5 },
  },
});

function tableOf(value: unknown): RoutingTable {
  const parsed = parseRoutingTable(value);
  return parsed.ok ? parsed.table : expect.fail(parsed.faults.join("\n"));
}

describe("the Runtime API", () => {
  let folder: string;
  let server: Server;
  const sockets = new Set<Socket>();

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "runtime-api-"));
  });
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true, force: true });
  });

  async function haproxy(respond: (socket: Socket, command: string) => void): Promise<string> {
    const path = join(folder, "s");
    server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket.on("error", () => {}));
      let command = "";
      socket.setEncoding("utf8").on("data", (text: string) => {
        command += text;
      });
      socket.on("end", () => respond(socket, command));
    });
    server.listen(path);
    await once(server, "listening");
    return path;
  }

  test("a command and its payload go over one connection, whose end is the end of the output", async () => {
    const path = await haproxy((socket, command) => {
      socket.write(`${JSON.stringify(command)}\n\nnot the end\n`);
      socket.end("\n");
    });
    expect(await new RuntimeApi(path).send("add map f <<\na b\n")).toBe(
      '"add map f <<\\na b\\n\\n"\n\nnot the end',
    );
  });

  test("a HAProxy that says nothing is given up after the time limit, and is told from one that is not there", async () => {
    const path = await haproxy(() => {});
    const api = new RuntimeApi(path, { timeoutMs: 30 });
    await expect(api.send("show info")).rejects.toMatchObject({ name: "RuntimeApiError", isSilent: true });
    const nobody = new RuntimeApi(join(folder, "nobody"));
    await expect(nobody.send("show info")).rejects.toMatchObject({ isSilent: false });
  });

  test("an output without an end is cut off", async () => {
    const path = await haproxy((socket) => {
      const more = () => socket.write("x".repeat(65_536), () => setImmediate(more));
      more();
    });
    const api = new RuntimeApi(path, { maxBytes: 1_000_000 });
    await expect(api.send("show map f")).rejects.toThrow("more than 1000000 bytes");
  });
});

describe("what HAProxy prints", () => {
  test("maps, values, servers and processes are read as HAProxy 2.6 prints them", () => {
    expect(parseMap("0x55abe487eb80 61636D65 tier3\n0x55abe487ecb0 62 tier1")).toEqual([
      ["61636D65", "tier3"],
      ["62", "tier1"],
    ]);
    const found = 'type=str, case=sensitive, found=yes, idx=tree, key="62", value="tier1", type="str"';
    expect(parseMapValue(found)).toBe("tier1");
    expect(parseMapValue("type=str, case=sensitive, found=no")).toBeUndefined();
    expect(
      parseServers("# pxname,svname,slim,addr,\np_a,cell,,127.0.0.1:1,\np_b,f1_a,7,[::1.2.3.4]:2,"),
    ).toEqual([
      { backend: "p_a", server: "cell", address: "127.0.0.1:1", maxconn: 0 },
      { backend: "p_b", server: "f1_a", address: "[::102:304]:2", maxconn: 7 },
    ]);
    const shown = `#<PID>          <type>          <reloads>       <uptime>        <version>
5750            master          2 [failed: 1]   0d00h12m57s     2.6.12-1+deb12u4
# workers
27144           worker          1               0d00h00m03s     2.6.12-1+deb12u4
# old workers
27100           worker          2               0d00h01m03s     2.6.12-1+deb12u4
# programs
`;
    expect(parseProcesses(shown)).toEqual({
      master: 5750,
      reloads: 2,
      failed: 1,
      worker: 27144,
      oldWorkers: [27100],
    });
    expect(() => parseProcesses("Permission denied")).toThrow("no master");
  });
});

describe("drift", () => {
  const table = tableOf(document({ acme: "tier2" }));
  const servers: readonly ShownServer[] = [
    { backend: "p_tier1", server: "cell", address: "127.0.0.1:9001", maxconn: 0 },
    { backend: "p_tier1", server: "f1_tier2", address: "[::1]:9002", maxconn: 5 },
    { backend: "p_tier2", server: "cell", address: "[::1]:9002", maxconn: 0 },
  ];
  const maps = new Map(mapFiles.map((file) => [file, [...mapEntries(table)[file]]] as const));

  test("a HAProxy that holds the table has none", () => {
    expect(driftWords(driftOf(table, { maps, servers }))).toEqual([]);
  });

  test("a second entry behind the right one is drift", () => {
    const [entry = ["", ""] as const] = maps.get("keys.map") ?? [];
    const twice = new Map([...maps, ["keys.map", [entry, [entry[0], "tier1"]]] as const]);
    expect(driftWords(driftOf(table, { maps: twice, servers }))).toEqual(["keys.map"]);
  });

  test("addresses, limits and missing servers are told apart", () => {
    const [first, second] = servers;
    if (first === undefined || second === undefined) expect.fail("two servers");
    const seen = [
      { ...first, address: "127.0.0.1:1" },
      { ...second, maxconn: 6 },
    ];
    expect(driftOf(table, { maps, servers: seen })).toEqual({
      maps: [],
      servers: [{ kind: "server-maxconn", backend: "p_tier1", server: "f1_tier2", maxconn: 5 }],
      wrong: ["p_tier1/cell has another address", "p_tier2/cell is missing"],
    });
  });
});

test("files that somebody has changed or removed are written again, and the others stay as they are", async () => {
  const folder = mkdtempSync(join(tmpdir(), "haproxy-files-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const files = new HaproxyFiles(folder, { host: "127.0.0.1", port: 1 });
  const [keys, kinds, config] = ["keys.map", "kinds.map", "haproxy.cfg"].map((name) => join(folder, name));
  if (keys === undefined || kinds === undefined || config === undefined) expect.fail("three files");
  const table = tableOf(document({ acme: "tier2" }));
  await files.write(table);
  const [text, { ino }] = [readFileSync(config, "utf8"), statSync(kinds)];
  writeFileSync(config, "other");
  rmSync(keys);
  await files.write(table);
  expect(readFileSync(config, "utf8")).toBe(text);
  expect(readFileSync(keys, "utf8")).toBe("61636D65 tier2\n");
  expect(statSync(kinds).ino).toBe(ino);
});

describe("changes", () => {
  test("a large map is sent in pieces that fit HAProxy's buffer, and every entry once", () => {
    const entries = new Map(Array.from({ length: 999 }, (_, n) => [`key${n}`, "tier1"] as const));
    const pieces = [...payloads(entries, 500)];
    expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThanOrEqual(500);
    expect(pieces.join("").split("\n").filter(Boolean)).toHaveLength(999);
    expect([...payloads(new Map())]).toEqual([]);
  });

  test("a worker's description stays with what the Runtime API can change, and not with the rest", () => {
    const text = "backend b\n  server cell 127.0.0.1:1 check\n  server f1_x 127.0.0.1:2 maxconn 5";
    expect(digestOf(text.replace("maxconn 5", "maxconn 7"))).toBe(digestOf(text));
    expect(digestOf(text.replace(":1 ", ":3 "))).not.toBe(digestOf(text));
    expect(digestOf(text.replace("check", "check inter 5"))).not.toBe(digestOf(text));
    expect(digestOf(text.replace("cell", "other"))).not.toBe(digestOf(text));
  });
});

describe("the receiver", () => {
  const position = (epoch: string, revision: number, checksum: string) => ({ epoch, revision, checksum });
  const snapshot = (epoch: string, revision: number, value: unknown) => {
    const json = JSON.stringify(value);
    const decoded = decodeTable(Buffer.from(json));
    const checksum = decoded.ok ? decoded.checksum : "0".repeat(64);
    return encodeSnapshot(position(epoch, revision, checksum), json);
  };

  test("what HAProxy refuses is nacked in its words, and the epoch before is still the one in use", async () => {
    let refuses = false;
    const receiver = new HaproxyReceiver({
      validate: (bytes) => decodeTable(bytes),
      apply: () => {
        if (refuses) throw new HaproxyRefusal("parsing [h.cfg:3]: unknown keyword; fatal errors found");
      },
    });
    const link = receiver.openLink();
    await receiver.receive(snapshot("a", 1, document({})), link);
    refuses = true;
    const refused = await receiver.receive(snapshot("b", 1, document({ acme: "tier2" })), link);
    expect(refused).toMatchObject({
      outcome: "refused",
      upToDate: false,
      reply: {
        type: "nack",
        epoch: "b",
        revision: 1,
        reasons: ["parsing [h.cfg:3]: unknown keyword", "fatal errors found"],
      },
    });
    expect(receiver.held()).toMatchObject({ epoch: "a", revision: 1 });
    refuses = false;
    const next = await receiver.receive(snapshot("a", 2, document({ acme: "tier2" })), link);
    expect(next).toMatchObject({ outcome: "applied", reply: { type: "ack", epoch: "a", revision: 2 } });
  });

  test("trouble of the moment is no refusal: the same snapshot may come again", async () => {
    const receiver = new HaproxyReceiver({
      validate: (bytes) => decodeTable(bytes),
      apply: () => {
        throw new Error("no space left on device");
      },
    });
    const link = receiver.openLink();
    await expect(receiver.receive(snapshot("a", 1, document({})), link)).rejects.toThrow("no space");
    expect(receiver.held()).toBeUndefined();
  });
});
