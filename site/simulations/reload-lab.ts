// m2: a routing file changes while requests arrive. The stage's own validator, store and `route` decide; the file and the
// moment at which it is read are simulated. A careless router beside it takes what it reads, when it reads it.

import { route } from "../../stages/m2/src/routing.ts";
import { parseRoutingTable, type RoutingTable } from "../../stages/m2/src/routing-table.ts";
import { type Snapshot, TableStore } from "../../stages/m2/src/table-store.ts";
import { EventQueue } from "./event-queue.ts";
import { between, pick, seededRandom } from "./random.ts";
import {
  numberOf,
  type SimEvent,
  type Simulation,
  seedParameter,
  type Tone,
  textOf,
  type Values,
} from "./simulation.ts";

export interface ReloadState {
  readonly file: { readonly version: string; readonly form: "whole" | "half-written" | "not a table" };
  /** Version of the table in use; undefined while there is none. */
  readonly inUse: string | undefined;
  readonly swaps: number;
  readonly faults: readonly string[];
  readonly served: number;
  readonly failed: number;
  /** Long requests under way, with the table that each one began with. */
  readonly underWay: readonly { readonly key: string; readonly version: string }[];
}

/** What the file holds after an edit: pieces that are written one after the other. */
interface Edit {
  readonly version: string;
  readonly form: ReloadState["file"]["form"];
  readonly text: string;
}

const keys = ["visa", "acme", "globex", "initech"];
/** Between two pieces of one save, in milliseconds: less than the stage waits for a file to be quiet. */
const betweenPiecesMs = 12;

function documentText(version: string, acme: string): string {
  const tier = (port: number) => ({ kind: "tier", url: `http://127.0.0.1:${port}` });
  return JSON.stringify({
    version,
    defaultPlacement: "tier3",
    routingTable: { visa: "visa", acme, globex: "tier2", initech: "tier3" },
    placements: {
      visa: { kind: "dedicated", url: "http://127.0.0.1:9004" },
      tier1: tier(9001),
      tier2: tier(9002),
      tier3: tier(9003),
    },
  });
}

const goodEdit: Edit = { version: "1.1.0", form: "whole", text: documentText("1.1.0", "tier2") };
const mended: Edit = { version: "1.3.0", form: "whole", text: documentText("1.3.0", "tier1") };
const badEdits: Readonly<Record<string, Edit>> = {
  comma: { version: "1.2.0", form: "not a table", text: goodEdit.text.replace('","', '" "') },
  unknown: { version: "1.2.0", form: "not a table", text: documentText("1.2.0", "tier9") },
  disk: { version: "1.2.0", form: "half-written", text: goodEdit.text.slice(0, 120) },
  none: { version: "1.2.0", form: "whole", text: documentText("1.2.0", "tier3") },
};

export const reloadLab: Simulation<ReloadState> = {
  name: "reload",
  durationMs: 12_000,
  parameters: [
    seedParameter,
    {
      kind: "choice",
      name: "router",
      label: "Router",
      choices: [
        { value: "m2", label: "m2: settle, validate, swap" },
        { value: "careless", label: "careless: takes what it reads" },
      ],
      value: "m2",
    },
    {
      kind: "choice",
      name: "save",
      label: "How the editor saves",
      choices: [
        { value: "pieces", label: "in place, in three pieces" },
        { value: "rename", label: "writes another file and renames it" },
      ],
      value: "pieces",
    },
    {
      kind: "choice",
      name: "fault",
      label: "The second edit",
      choices: [
        { value: "unknown", label: "names a placement that does not exist" },
        { value: "comma", label: "has a comma missing" },
        { value: "disk", label: "fills the disk in the middle" },
        { value: "none", label: "is good" },
      ],
      value: "unknown",
    },
    {
      kind: "number",
      name: "settle",
      label: "Quiet before a read",
      unit: "ms",
      min: 0,
      max: 200,
      step: 5,
      value: 20,
    },
  ],
  before,
  run,
};

function before(): ReloadState {
  return {
    file: { version: "1.0.0", form: "whole" },
    inUse: "1.0.0",
    swaps: 0,
    faults: [],
    served: 0,
    failed: 0,
    underWay: [],
  };
}

/** Text to table, or to reasons: what `table-decoder.ts` does with the file's bytes. */
function decode(text: string): { readonly table: RoutingTable } | { readonly faults: readonly string[] } {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return { faults: ["(document): not JSON"] };
  }
  const result = parseRoutingTable(document);
  return result.ok ? { table: result.table } : { faults: result.faults };
}

function run(values: Values): SimEvent<ReloadState>[] {
  const random = seededRandom(numberOf(values, "seed"));
  const queue = new EventQueue();
  const events: SimEvent<ReloadState>[] = [];
  const isCareless = textOf(values, "router") === "careless";
  const settleMs = numberOf(values, "settle");
  const store = new TableStore();
  let state = before();
  let onDisk = documentText("1.0.0", "tier1");
  let changes = 0;
  /** The careless router's table is gone while what it read was none. */
  let lost = false;

  const emit = (actor: string, what: string, tone: Tone, next: Partial<ReloadState> = {}) => {
    state = { ...state, ...next };
    events.push({ atMs: queue.nowMs, actor, what, tone, state });
  };

  const read = () => {
    const decoded = decode(onDisk);
    if ("table" in decoded) {
      lost = false;
      if (decoded.table.version === store.current()?.table.version) return;
      const { sequence } = store.swap(decoded.table);
      const { version } = decoded.table;
      emit("router", `swaps: table ${version} is snapshot ${sequence}`, "good", {
        inUse: version,
        swaps: sequence - 1,
        faults: [],
      });
    } else if (isCareless) {
      lost = true;
      emit("router", `has thrown its table away: ${decoded.faults[0]}`, "bad", {
        inUse: undefined,
        faults: decoded.faults,
      });
    } else {
      const { inUse } = state;
      emit("router", `refuses the file and keeps ${inUse}: ${decoded.faults.join("; ")}`, "warn", {
        faults: decoded.faults,
      });
    }
  };

  const changed = () => {
    if (isCareless) return read();
    changes += 1;
    const seen = changes;
    // Only the last change of a burst finds the file quiet.
    queue.after(settleMs, () => {
      if (seen === changes) read();
    });
  };

  const save = ({ version, form, text }: Edit) => {
    const pieces = textOf(values, "save") === "rename" ? 1 : 3;
    for (let piece = 1; piece <= pieces; piece++) {
      queue.after((piece - 1) * betweenPiecesMs, () => {
        const isLast = piece === pieces;
        onDisk = text.slice(0, Math.ceil((text.length * piece) / pieces));
        const words =
          pieces === 1
            ? `renames a file over routing.json: ${version}`
            : `writes piece ${piece} of ${pieces} of ${version}`;
        emit("editor", words, "info", { file: { version, form: isLast ? form : "half-written" } });
        changed();
      });
    }
  };

  const request = () => {
    const key = pick(random, keys);
    const isLong = random() < 0.12;
    arrive();
    // One read: this snapshot is the request's until it ends.
    const snapshot = lost ? undefined : store.current();
    if (snapshot === undefined) {
      emit("router", `${key}: 503, no routing table`, "bad", { failed: state.failed + 1 });
      return;
    }
    const { placement } = route(snapshot.table, key);
    const { version } = snapshot.table;
    if (!isLong) {
      emit("router", `${key} → ${placement.name} (${version}): 200`, "info", { served: state.served + 1 });
      return;
    }
    const long = { key, version };
    emit("router", `${key} → ${placement.name} (${version}): a long answer begins`, "info", {
      underWay: [...state.underWay, long],
    });
    queue.after(between(random, 1_500, 3_000), () => endLong(long, placement.name, snapshot));
  };

  const endLong = (long: { key: string; version: string }, placement: string, snapshot: Snapshot) => {
    const others = state.underWay.filter((each) => each !== long);
    const isOld = snapshot !== store.current();
    const words = `${long.key}: the long answer of ${placement} ends whole${isOld ? `, with the table ${long.version} that it began with` : ""}`;
    emit("router", words, "info", { underWay: others, served: state.served + 1 });
  };

  const arrive = () => queue.after(between(random, 90, 320), request);

  read();
  arrive();
  queue.at(2_000, () => save(goodEdit));
  queue.at(5_000, () => save(badEdits[textOf(values, "fault")] ?? mended));
  queue.at(9_000, () => save(mended));
  queue.runUntil(reloadLab.durationMs);
  return events;
}
