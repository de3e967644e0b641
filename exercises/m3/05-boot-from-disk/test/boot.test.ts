import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "vitest";
import { checksumOf } from "../../../../stages/m3/src/checksum.ts";
import { LastKnownGood } from "../../../../stages/m3/src/last-known-good.ts";
import { encodeSnapshot } from "../../../../stages/m3/src/protocol.ts";
import { SnapshotReceiver } from "../../../../stages/m3/src/snapshot-receiver.ts";
import { decodeTable } from "../../../../stages/m3/src/table-decoder.ts";
import { check, within } from "../../../support/check.ts";
import { boot } from "../starter/boot.ts";

const lookAt = "boot.ts, boot";
const today = new Date("2026-03-10T12:00:00Z");
const hourMs = 3_600_000;

const document = {
  version: "saved",
  defaultPlacement: "tier1",
  routingTable: { acme: "tier1" },
  placements: { tier1: { kind: "tier", url: "http://127.0.0.1:9001" } },
};
const position = { epoch: "k", revision: 7, checksum: checksumOf(document) };
const saved = new TextDecoder().decode(encodeSnapshot(position, JSON.stringify(document)));

interface Machine {
  /** Content of the file `last-known-good`; undefined for no file. */
  readonly file?: string;
  readonly savedHoursAgo?: number;
  readonly bootstrap?: "good" | "missing";
  readonly controlPlane?: "there" | "away";
}

/** Boots a router in a folder of its own, with the stage's own receiver and store, and says what came of it. */
async function bootOn({ file, savedHoursAgo = 1, bootstrap = "good", controlPlane = "there" }: Machine) {
  const folder = await mkdtemp(join(tmpdir(), "cell-routing-boot-"));
  try {
    const path = join(folder, "state", "last-known-good");
    await mkdir(join(folder, "state"));
    if (file !== undefined) {
      await writeFile(path, file);
      const savedAt = new Date(today.getTime() - savedHoursAgo * hourMs);
      await utimes(path, savedAt, savedAt);
    }
    let serves = "no table";
    const hellos: { have: number | undefined; staleHours: number }[] = [];
    const told: string[] = [];
    const receiver = new SnapshotReceiver({
      examine: decodeTable,
      apply: (table) => {
        serves = table.version;
      },
    });
    const booting = boot({
      lastKnownGood: new LastKnownGood(path, (error) => told.push(error.message)),
      receiver,
      bootstrap: async () => {
        if (bootstrap === "missing") throw new Error("routing.json: no such file");
        serves = "bootstrap";
      },
      connect: async (staleForMs) => {
        hellos.push({ have: receiver.held()?.revision, staleHours: staleForMs / hourMs });
        if (controlPlane === "away") await new Promise(() => {});
      },
      today: () => today,
      tell: (cause) => told.push(cause),
    });
    const from = await within(1_000, "boot to resolve", booting);
    return { from, serves, hellos, told, files: await readdir(join(folder, "state")) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function served(machine: Machine) {
  const { from, serves } = await bootOn(machine);
  return { from, serves };
}

const fromDisk = { from: "last-known-good", serves: "saved" } as const;
const fromBootstrap = { from: "bootstrap", serves: "bootstrap" } as const;

test("a router starts from its last-known-good snapshot, and not from the bootstrap file", async () => {
  await check({
    sent: "a start with a good last-known-good and a good bootstrap file",
    expected: fromDisk,
    got: () => served({ file: saved }),
    likely: "The bootstrap file is from the day of the installation, the snapshot from the last change.",
    lookAt,
  });
});

test("a snapshot from last month is better than none", async () => {
  await check({
    sent: "a start with a last-known-good that was saved 720 hours ago, and no bootstrap file",
    expected: fromDisk,
    got: () => served({ file: saved, savedHoursAgo: 720, bootstrap: "missing" }),
    likely: "An old table routes most tenants rightly. No table routes nobody.",
    lookAt,
  });
});

test("without a saved snapshot a router starts from the bootstrap file", async () => {
  await check({
    sent: "a first start: no last-known-good, a good bootstrap file",
    expected: fromBootstrap,
    got: () => served({}),
    likely: "On its first day a router has saved nothing yet, and that is no fault.",
    lookAt,
  });
});

test("a router starts while its control plane is away", async () => {
  await check({
    sent: "a start with a good last-known-good and a control plane that does not answer",
    expected: fromDisk,
    got: () => served({ file: saved, controlPlane: "away" }),
    likely: "The start waits for something that this machine does not have.",
    lookAt,
    hint: 1,
  });
});

test("the link begins once, and its hello names the restored revision", async () => {
  await check({
    sent: "a start with revision 7 on disk; what the router has when its link begins",
    expected: [7],
    got: async () => (await bootOn({ file: saved })).hellos.map(({ have }) => have),
    likely: "A hello that names nothing asks for the whole table, on every restart of every router.",
    lookAt,
    hint: 1,
  });
});

test("staleness counts from the save, and is never negative", async () => {
  await check({
    sent: "starts with a file that was saved 2 hours ago, and with one from 2 hours ahead (the clock was set back)",
    expected: [2, 0],
    got: async () => {
      const past = await bootOn({ file: saved, savedHoursAgo: 2 });
      const future = await bootOn({ file: saved, savedHoursAgo: -2 });
      return [...past.hellos, ...future.hellos].map(({ staleHours }) => staleHours);
    },
    likely: "A restart makes an old table look fresh.",
    lookAt: "boot.ts, staleForMs",
  });
});

test("an empty file is no snapshot", async () => {
  await check({
    sent: "a start with a last-known-good of 0 bytes, as a crash leaves it, and a good bootstrap file",
    expected: fromBootstrap,
    got: () => served({ file: "" }),
    likely: "The process ends over a file that it could do without.",
    lookAt: "boot.ts, what becomes of the received message",
    hint: 3,
  });
});

test("a torn file is no snapshot", async () => {
  await check({
    sent: "a start with the first half of a last-known-good, and a good bootstrap file",
    expected: fromBootstrap,
    got: () => served({ file: saved.slice(0, -40) }),
    likely: "The head of the file is whole, so it was believed; its table is not.",
    lookAt: "boot.ts, what becomes of the received message",
    hint: 2,
  });
});

test("an edited file is no snapshot", async () => {
  await check({
    sent: "a start with a last-known-good in which somebody changed port 9001 to 9002",
    expected: fromBootstrap,
    got: () => served({ file: saved.replace("9001", "9002") }),
    likely:
      "The table is valid, but it is not the one of revision 7, and no control plane would ever correct it.",
    lookAt: "boot.ts, what becomes of the received message",
    hint: 2,
  });
});

test("a damaged file is told of and set aside", async () => {
  await check({
    sent: "a start with a torn last-known-good; the files afterwards, and how many causes were told",
    expected: { files: ["last-known-good.damaged"], told: 1 },
    got: async () => {
      const { files, told } = await bootOn({ file: saved.slice(0, -40) });
      return { files, told: told.filter((cause) => cause !== "").length };
    },
    likely: "The next start trips over the same file, or nobody learns that it was there.",
    lookAt: "boot.ts, what becomes of the received message",
    hint: 3,
  });
});

test("without any table a router starts, and its link begins", async () => {
  await check({
    sent: "a start with neither a last-known-good nor a bootstrap file",
    expected: { from: "nothing", serves: "no table", hellos: [{ have: undefined, staleHours: 0 }] },
    got: async () => {
      const { from, serves, hellos } = await bootOn({ bootstrap: "missing" });
      return { from, serves, hellos };
    },
    likely: "The process ends, and with it the link over which a table would have come.",
    lookAt: "boot.ts, the bootstrap file",
    hint: 3,
  });
});
