import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "vitest";
import { checksumOf } from "../../../../stages/m3/src/checksum.ts";
import { LastKnownGood } from "../../../../stages/m3/src/last-known-good.ts";
import { encodeSnapshot } from "../../../../stages/m3/src/protocol.ts";
import { SnapshotReceiver } from "../../../../stages/m3/src/snapshot-receiver.ts";
import { decodeTable } from "../../../../stages/m3/src/table-decoder.ts";
import { check, ifSilentOrGot, type Outcome, within } from "../../../support/check.ts";
import { boot } from "../starter/boot.ts";

type Booted = Awaited<ReturnType<typeof bootOn>>;
type Served = Pick<Booted, "from" | "serves">;

const neverBack = "A good snapshot is on disk, but boot doesn't resolve.";
const neverBackAlone = "While the control plane is away, boot doesn't resolve, or begins no link.";

/** For a start with a good snapshot on the disk. */
const restoreShows = (silent: string) =>
  ifSilentOrGot<Served>(
    silent,
    [({ from }) => from !== "last-known-good", "A good snapshot is on disk, but boot did not start from it."],
    [
      ({ serves }) => serves !== "saved",
      "boot says that it started from the snapshot, but its table is not in use.",
    ],
  );

/** For a start with a damaged file and a good bootstrap file. */
const damageShows = (came: Outcome<Served>): string | undefined => {
  if (came.kind === "threw") return "The start ended in an error, although a good bootstrap file was there.";
  return ifSilentOrGot<Served>(
    undefined,
    [({ from }) => from === "last-known-good", "boot says that it started from this file."],
    [({ serves }) => serves === "no table", "The bootstrap file is good, but the router has no table."],
  )(came);
};

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

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Boots a router in a folder of its own, with the stage's own receiver and store, and says what came of it. */
async function bootOn({ file, savedHoursAgo = 1, bootstrap = "good", controlPlane = "there" }: Machine) {
  let [resolved, ended] = [false, false];
  const folder = await mkdtemp(join(tmpdir(), "cell-routing-boot-"));
  try {
    const path = join(folder, "state", "last-known-good");
    await mkdir(join(folder, "state"));
    if (file !== undefined) {
      await writeFile(path, file);
      const savedAt = new Date(today.getTime() - savedHoursAgo * hourMs);
      await utimes(path, savedAt, savedAt);
    }
    /** Every table that was in use, in order. */
    const served: string[] = [];
    const hellos: { have: number | undefined; staleHours: number; serves: string }[] = [];
    const told: string[] = [];
    const waited = Promise.withResolvers<boolean>();
    const receiver = new SnapshotReceiver({
      validate: decodeTable,
      apply: (table) => {
        served.push(table.version);
      },
    });
    const booting = boot({
      lastKnownGood: new LastKnownGood(path, (error) => told.push(error.message)),
      receiver,
      bootstrap: async () => {
        // As a file is read: in a later turn, and not at once.
        await nextTurn();
        if (bootstrap === "missing") throw new Error("routing.json: no such file");
        served.push("bootstrap");
      },
      connect: async (staleForMs) => {
        const serves = served.at(-1) ?? "no table";
        hellos.push({ have: receiver.held()?.revision, staleHours: staleForMs / hourMs, serves });
        if (controlPlane === "there") return;
        while (served.length === 0 && !resolved && !ended) await nextTurn();
        // By then, everything that needs no timer, disk or network has run.
        for (let turn = 0; turn < 20; turn++) await nextTurn();
        waited.resolve(!resolved);
        await new Promise(() => {});
      },
      wallClock: () => today,
      tell: (cause) => told.push(cause),
    });
    const from = await within(1_000, "boot to resolve", booting);
    resolved = true;
    const waitedForLink =
      controlPlane === "away" && (await within(1_000, "the link to begin", waited.promise));
    const files = await readdir(join(folder, "state"));
    const causes = told.filter((cause) => typeof cause === "string" && cause !== "").length;
    return { from, serves: served.at(-1) ?? "no table", served, hellos, causes, files, waitedForLink };
  } finally {
    ended = true;
    await rm(folder, { recursive: true, force: true });
  }
}

async function served(machine: Machine) {
  const { from, serves } = await bootOn(machine);
  return { from, serves };
}

const damaged = ["", saved.slice(0, -40), saved.replace("9001", "9002")];

async function bootOnEach(files: readonly string[]) {
  const booted = [];
  for (const file of files) booted.push(await bootOn({ file }));
  return booted;
}

const fromDisk = { from: "last-known-good", serves: "saved" } as const;
const fromBootstrap = { from: "bootstrap", serves: "bootstrap" } as const;
const lookAtReceived = "boot.ts, what becomes of the received message";

test("a router starts from its last-known-good snapshot, and not from the bootstrap file", async () => {
  await check({
    sent: "a start with a good last-known-good and a good bootstrap file",
    expected: fromDisk,
    got: () => served({ file: saved }),
    likely: restoreShows(neverBack),
    lookAt,
  });
});

test("the bootstrap file is not applied, not even for a moment, if the snapshot is good", async () => {
  await check({
    sent: "a start with a good last-known-good and a good bootstrap file; every table that was in use, in order",
    expected: ["saved"],
    got: async () => (await bootOn({ file: saved })).served,
    likely: ifSilentOrGot(
      undefined,
      [
        (got) => got.includes("bootstrap"),
        "The bootstrap file's table was in use, although a good snapshot is on disk.",
      ],
      [(got) => got.length === 0, "No table was in use."],
      [(got) => got.length > 1, "The snapshot was applied more than once."],
    ),
    lookAt,
  });
});

test("a snapshot from last month is better than none", async () => {
  await check({
    sent: "a start with a last-known-good that was saved 720 hours ago, and no bootstrap file",
    expected: fromDisk,
    got: () => served({ file: saved, savedHoursAgo: 720, bootstrap: "missing" }),
    likely: restoreShows(neverBack),
    lookAt,
  });
});

test("a snapshot from last month is better than the bootstrap file", async () => {
  await check({
    sent: "a start with a last-known-good that was saved 720 hours ago, and a good bootstrap file",
    expected: fromDisk,
    got: () => served({ file: saved, savedHoursAgo: 720 }),
    likely: restoreShows(neverBack),
    lookAt,
  });
});

test("without a saved snapshot a router starts from the bootstrap file", async () => {
  await check({
    sent: "a first start: no last-known-good, a good bootstrap file",
    expected: fromBootstrap,
    got: () => served({}),
    likely: ifSilentOrGot(
      undefined,
      [
        ({ from }) => from === "last-known-good",
        "boot says that it started from a snapshot, but there was none.",
      ],
      [({ serves }) => serves === "no table", "The bootstrap file is good, but the router has no table."],
    ),
    lookAt,
  });
});

test("a router starts while its control plane is away", async () => {
  await check({
    sent: "a start with a good last-known-good and a control plane that does not answer",
    expected: fromDisk,
    got: () => served({ file: saved, controlPlane: "away" }),
    likely: restoreShows(neverBackAlone),
    lookAt,
    hint: 1,
  });
});

test("a first start succeeds while the control plane is away", async () => {
  await check({
    sent: "starts without a last-known-good and with a control plane that does not answer: with a good bootstrap file, and without one",
    expected: [fromBootstrap, { from: "nothing", serves: "no table" }],
    got: async () => [
      await served({ controlPlane: "away" }),
      await served({ controlPlane: "away", bootstrap: "missing" }),
    ],
    likely: (came) =>
      came.kind === "threw" && String(came.error).includes("no such file")
        ? "Without a bootstrap file, the start ended in an error."
        : ifSilentOrGot(neverBackAlone)(came),
    lookAt,
    hint: 1,
  });
});

test("a start does not wait for the control plane, not even for a moment", async () => {
  await check({
    sent: "a start with a good last-known-good and a control plane that does not answer; whether boot still waits when nothing but the link is left to wait for",
    expected: false,
    got: async () => (await bootOn({ file: saved, controlPlane: "away" })).waitedForLink,
    likely: ifSilentOrGot(neverBackAlone, [
      (waits) => waits,
      "boot still waits, although only the link is left to wait for.",
    ]),
    lookAt,
    hint: 1,
  });
});

test("the link begins once, and its hello names the restored revision", async () => {
  await check({
    sent: "a start with revision 7 on disk; what the router has when its link begins",
    expected: [7],
    got: async () => (await bootOn({ file: saved })).hellos.map(({ have }) => have),
    likely: ifSilentOrGot(
      undefined,
      [(got) => got.length === 0, "No link had begun when boot resolved."],
      [(got) => got.length > 1, "The link began more than once."],
      [([have]) => have === undefined, "When the link began, the router held no revision yet."],
    ),
    lookAt,
    hint: 1,
  });
});

test("the link begins after the bootstrap file was applied", async () => {
  await check({
    sent: "a first start with a good bootstrap file; what the router serves when its link begins",
    expected: ["bootstrap"],
    got: async () => (await bootOn({})).hellos.map(({ serves }) => serves),
    likely: ifSilentOrGot(
      undefined,
      [(got) => got.length === 0, "No link had begun when boot resolved."],
      [(got) => got.length > 1, "The link began more than once."],
      [([serves]) => serves === "no table", "When the link began, the bootstrap file was not in use yet."],
    ),
    lookAt,
    hint: 1,
  });
});

test("staleness counts from the save", async () => {
  await check({
    sent: "starts with a file that was saved 2 hours ago, and with one from 720 hours ago; the staleness in hours",
    expected: [2, 720],
    got: async () => {
      const recent = await bootOn({ file: saved, savedHoursAgo: 2 });
      const old = await bootOn({ file: saved, savedHoursAgo: 720 });
      return [...recent.hellos, ...old.hellos].map(({ staleHours }) => staleHours);
    },
    likely: ifSilentOrGot(
      undefined,
      [(got) => got.length !== 2, "The two starts did not begin one link each."],
      [
        (got) => got.every((hours) => hours === 0),
        "Both tables count as new, although they were saved long before this start.",
      ],
    ),
    lookAt: "boot.ts, staleForMs",
  });
});

test("staleness is never negative", async () => {
  await check({
    sent: "a start with a file that was saved 2 hours in the future, because the clock was set back; the staleness in hours",
    expected: [0],
    got: async () =>
      (await bootOn({ file: saved, savedHoursAgo: -2 })).hellos.map(({ staleHours }) => staleHours),
    likely: ifSilentOrGot(undefined, [
      (got) => got.some((hours) => hours < 0),
      "This staleness says that the table is from the future.",
    ]),
    lookAt: "boot.ts, staleForMs",
  });
});

test("an empty file is no snapshot", async () => {
  await check({
    sent: "a start with a last-known-good of 0 bytes, as a crash leaves it, and a good bootstrap file",
    expected: fromBootstrap,
    got: () => served({ file: "" }),
    likely: damageShows,
    lookAt: lookAtReceived,
    hint: 3,
  });
});

test("a torn file is no snapshot", async () => {
  await check({
    sent: "a start with a last-known-good without its last 40 bytes, and a good bootstrap file",
    expected: fromBootstrap,
    got: () => served({ file: saved.slice(0, -40) }),
    likely: damageShows,
    lookAt: lookAtReceived,
    hint: 2,
  });
});

test("an edited file is no snapshot", async () => {
  await check({
    sent: "a start with a last-known-good in which somebody changed port 9001 to 9002, and a good bootstrap file",
    expected: fromBootstrap,
    got: () => served({ file: saved.replace("9001", "9002") }),
    likely: damageShows,
    lookAt: lookAtReceived,
    hint: 2,
  });
});

test("a damaged file is set aside", async () => {
  await check({
    sent: "starts with an empty, a torn and an edited last-known-good; the files afterwards",
    expected: damaged.map(() => ["last-known-good.damaged"]),
    got: async () => (await bootOnEach(damaged)).map(({ files }) => files),
    likely: ifSilentOrGot(
      undefined,
      [
        (got) => got.some((files) => files.length === 0),
        "A damaged file was deleted: nobody can look at it now.",
      ],
      [
        (got) => got.every((files) => files.includes("last-known-good")),
        "None of the three files was set aside: the next start finds it again.",
      ],
      [
        (got) => got.some((files) => files.includes("last-known-good")),
        "Some damaged files were set aside, but not all.",
      ],
    ),
    lookAt: lookAtReceived,
    hint: 3,
  });
});

test("a damaged file is logged", async () => {
  await check({
    sent: "starts with an empty, a torn and an edited last-known-good; whether a cause was told each time",
    expected: damaged.map(() => true),
    got: async () => (await bootOnEach(damaged)).map(({ causes }) => causes > 0),
    likely: ifSilentOrGot(
      undefined,
      [(got) => !got.includes(true), "None of the three files was told about."],
      [(got) => got.includes(false), "Some damaged files were told about, but not all."],
    ),
    lookAt: lookAtReceived,
    hint: 3,
  });
});

test("a good file stays where it is, and nothing is told", async () => {
  await check({
    sent: "a start with a good last-known-good; the files afterwards, and whether a cause was told",
    expected: { files: ["last-known-good"], told: false },
    got: async () => {
      const { files, causes } = await bootOn({ file: saved });
      return { files, told: causes > 0 };
    },
    likely: ifSilentOrGot(
      undefined,
      [
        ({ files }) => !files.includes("last-known-good"),
        "The good file is no longer where the next start looks for it.",
      ],
      [({ told }) => told, "A cause was told, although nothing was wrong."],
    ),
    lookAt: lookAtReceived,
  });
});

test("a damaged file has no age and no revision", async () => {
  await check({
    sent: "a start with a torn last-known-good from 5 hours ago, with a good bootstrap file and without one; the link",
    expected: [
      { from: "bootstrap", hellos: [{ have: undefined, staleHours: 0, serves: "bootstrap" }] },
      { from: "nothing", hellos: [{ have: undefined, staleHours: 0, serves: "no table" }] },
    ],
    got: async () => {
      const torn = { file: saved.slice(0, -40), savedHoursAgo: 5 };
      const both = [await bootOn(torn), await bootOn({ ...torn, bootstrap: "missing" })];
      return both.map(({ from, hellos }) => ({ from, hellos }));
    },
    likely: ifSilentOrGot(
      undefined,
      [
        (got) => got.some(({ from }) => from === "last-known-good"),
        "boot says that it started from the torn file.",
      ],
      [
        (got) => got.some(({ hellos }) => hellos.some(({ staleHours }) => staleHours === 5)),
        "The staleness is the age of the torn file, whose table is not in use.",
      ],
      [
        (got) => got.some(({ from, hellos }) => from === "bootstrap" && hellos[0]?.serves === "no table"),
        "When the link began, the bootstrap file was not in use yet.",
      ],
    ),
    lookAt: lookAtReceived,
    hint: 3,
  });
});

test("without any table a router starts, and its link begins", async () => {
  await check({
    sent: "a start with neither a last-known-good nor a bootstrap file",
    expected: {
      from: "nothing",
      hellos: [{ have: undefined, staleHours: 0, serves: "no table" }],
      told: true,
    },
    got: async () => {
      const { from, hellos, causes } = await bootOn({ bootstrap: "missing" });
      return { from, hellos, told: causes > 0 };
    },
    likely: (came) => {
      if (came.kind === "threw") return "Without a table, the start ended in an error.";
      return ifSilentOrGot<Pick<Booted, "from" | "hellos"> & { readonly told: boolean }>(
        undefined,
        [({ hellos }) => hellos.length === 0, "No link had begun when boot resolved."],
        [({ told }) => !told, "The log does not say why there is no table."],
      )(came);
    },
    lookAt: "boot.ts, the bootstrap file",
    hint: 3,
  });
});
