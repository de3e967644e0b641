// m2: a routing file changes while requests arrive. The stage's own validator, store and `route` decide; the file and the
// moment at which it is read are simulated. A careless router beside it takes what it reads, when it reads it. Times are
// stretched: a hop takes 0.15 s.

import { route } from "../../stages/m2/src/routing.ts";
import { parseRoutingTable, type RoutingTable } from "../../stages/m2/src/routing-table.ts";
import { type Snapshot, TableStore } from "../../stages/m2/src/table-store.ts";
import { EventQueue } from "./event-queue.ts";
import { readFaults } from "./faults.ts";
import { between, pick, seededRandom } from "./random.ts";
import {
  isOn,
  numberOf,
  type Recording,
  type SimEvent,
  type Simulation,
  seedParameter,
  type Tone,
  textOf,
  type Values,
} from "./simulation.ts";
import { type Traveller, Trips } from "./trips.ts";

export interface ReloadState {
  readonly file: { readonly version: string; readonly form: "whole" | "half-written" | "not a table" };
  /** Version of the table in use; undefined while there is none. */
  readonly inUse: string | undefined;
  readonly swaps: number;
  readonly faults: readonly string[];
  readonly served: number;
  readonly failed: number;
  /** Downloads under way, with the table that each one began with. */
  readonly underWay: readonly { readonly key: string; readonly version: string }[];
}

/** What the file holds after an edit: pieces that are written one after the other. */
interface Edit {
  readonly version: string;
  readonly form: ReloadState["file"]["form"];
  readonly text: string;
}

const durationMs = 12_000;
const hopMs = 150;
const targets = { file: "the file is bad" };
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
const badEdits: Readonly<Record<string, Edit>> = {
  comma: { version: "1.2.0", form: "not a table", text: goodEdit.text.replace('","', '" "') },
  unknown: { version: "1.2.0", form: "not a table", text: documentText("1.2.0", "tier9") },
  disk: { version: "1.2.0", form: "half-written", text: goodEdit.text.slice(0, 120) },
};

export const reloadLab: Simulation<ReloadState> = {
  name: "reload",
  durationMs,
  worlds: [
    { name: "careless", label: () => "Takes what it reads", values: { careless: true } },
    { name: "m2", label: () => "m2: settle, validate, swap", values: { careless: false } },
  ],
  rows: ["success", "in flight"],
  parameters: [
    seedParameter,
    {
      kind: "choice",
      name: "fault",
      label: "The bad edit",
      choices: [
        { value: "comma", label: "has a comma missing" },
        { value: "disk", label: "fills the disk: half a file" },
        { value: "unknown", label: "names a placement that does not exist" },
      ],
      value: "comma",
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
      kind: "number",
      name: "settle",
      label: "Quiet before a read",
      unit: "ms",
      min: 0,
      max: 200,
      step: 5,
      value: 20,
    },
    { kind: "faults", name: "faults", label: "What goes wrong", targets, value: "file_5000_9000" },
  ],
  before,
  run: (values) => new ReloadRun(values).run(),
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

class ReloadRun {
  #state = before();
  readonly #values: Values;
  readonly #random: () => number;
  readonly #queue = new EventQueue();
  readonly #trips = new Trips();
  readonly #events: SimEvent<ReloadState>[] = [];
  readonly #store = new TableStore();
  #onDisk = documentText("1.0.0", "tier1");
  #changes = 0;
  #mends = 0;
  /** The careless router's table is gone while what it read was none. */
  #isLost = false;

  constructor(values: Values) {
    this.#values = values;
    this.#random = seededRandom(numberOf(values, "seed"));
  }

  run(): Recording<ReloadState> {
    this.#read();
    this.#arrive();
    this.#queue.at(2_000, () => this.#save(goodEdit));
    for (const { fromMs, untilMs } of readFaults(textOf(this.#values, "faults"), targets)) {
      this.#queue.at(fromMs, () => this.#save(badEdits[textOf(this.#values, "fault")] ?? goodEdit));
      this.#queue.at(untilMs, () => this.#mend());
    }
    this.#queue.runUntil(durationMs);
    return {
      events: this.#events,
      trips: this.#trips.finish(durationMs),
      bands: [],
      culprits: new Set(),
    };
  }

  #emit(actor: string, what: string, tone: Tone, next: Partial<ReloadState> = {}): void {
    this.#state = { ...this.#state, ...next };
    this.#events.push({ atMs: this.#queue.nowMs, actor, what, tone, state: this.#state });
  }

  #read(): void {
    const decoded = decode(this.#onDisk);
    if ("table" in decoded) {
      this.#isLost = false;
      const { version } = decoded.table;
      if (version === this.#store.current()?.table.version) {
        if (this.#state.inUse !== version || this.#state.faults.length > 0)
          this.#emit("router", `has table ${version} again`, "good", { inUse: version, faults: [] });
        return;
      }
      const { sequence } = this.#store.swap(decoded.table);
      const next = { inUse: version, swaps: sequence - 1, faults: [] };
      this.#emit("router", `swaps: table ${version} is snapshot ${sequence}`, "good", next);
      return;
    }
    const { faults } = decoded;
    if (isOn(this.#values, "careless")) {
      this.#isLost = true;
      const words = `has thrown its table away: ${faults[0]}`;
      return this.#emit("router", words, "bad", { inUse: undefined, faults });
    }
    const words = `refuses the file and keeps ${this.#state.inUse}: ${faults.join("; ")}`;
    this.#emit("router", words, "warn", { faults });
  }

  #fileChanged(): void {
    if (isOn(this.#values, "careless")) return this.#read();
    this.#changes += 1;
    const seen = this.#changes;
    // Only the last change of a burst finds the file quiet.
    this.#queue.after(numberOf(this.#values, "settle"), () => {
      if (seen === this.#changes) this.#read();
    });
  }

  #save({ version, form, text }: Edit): void {
    const pieces = textOf(this.#values, "save") === "rename" ? 1 : 3;
    for (let piece = 1; piece <= pieces; piece++) {
      this.#queue.after((piece - 1) * betweenPiecesMs, () => {
        const isLast = piece === pieces;
        this.#onDisk = text.slice(0, Math.ceil((text.length * piece) / pieces));
        const words =
          pieces === 1
            ? `renames a file over routing.json: ${version}`
            : `writes piece ${piece} of ${pieces} of ${version}`;
        this.#emit("editor", words, "info", { file: { version, form: isLast ? form : "half-written" } });
        this.#fileChanged();
      });
    }
  }

  #mend(): void {
    this.#mends += 1;
    const version = `1.${2 + this.#mends}.0`;
    this.#save({ version, form: "whole", text: documentText(version, "tier1") });
  }

  #arrive(): void {
    this.#queue.after(between(this.#random, 60, 220), () => {
      const key = pick(this.#random, keys);
      const isLong = this.#random() < 0.12;
      const lastsMs = isLong ? between(this.#random, 1_500, 3_000) : between(this.#random, 60, 200);
      this.#arrive();
      const traveller = this.#trips.begin(key, `tenant-${key}`, this.#queue.nowMs);
      traveller.move("router", this.#queue.nowMs, hopMs);
      this.#queue.after(hopMs, () => this.#serve(key, traveller, lastsMs, isLong));
    });
  }

  #serve(key: string, traveller: Traveller, lastsMs: number, isLong: boolean): void {
    // One read: this snapshot is the request's until it ends.
    const snapshot = this.#isLost ? undefined : this.#store.current();
    if (snapshot === undefined) {
      traveller.end("failed", this.#queue.nowMs);
      const { failed } = this.#state;
      return this.#emit("router", `${key}: 503, no routing table`, "bad", { failed: failed + 1 });
    }
    const { placement } = route(snapshot.table, key);
    traveller.move(`cell-${placement.name}`, this.#queue.nowMs, hopMs);
    const long = { key, version: snapshot.table.version };
    if (isLong)
      this.#emit("router", `${key} → ${placement.name} (${long.version}): a download begins`, "info", {
        underWay: [...this.#state.underWay, long],
      });
    this.#queue.after(hopMs + lastsMs, () => {
      traveller.move("router", this.#queue.nowMs, hopMs);
      this.#queue.after(hopMs, () => {
        traveller.move(`tenant-${key}`, this.#queue.nowMs, hopMs);
        this.#queue.after(hopMs, () => traveller.end("good", this.#queue.nowMs));
      });
      this.#responded(long, placement.name, snapshot, isLong);
    });
  }

  #responded(
    request: { readonly key: string; readonly version: string },
    placement: string,
    snapshot: Snapshot,
    isLong: boolean,
  ): void {
    const { key, version } = request;
    const isOld = snapshot !== this.#store.current();
    const began = isOld ? `, with the table ${version} that it began with` : "";
    const words = isLong
      ? `${key}: the download from ${placement} ends whole${began}`
      : `${key} → ${placement} (${version}): 200`;
    this.#emit("router", words, "info", {
      underWay: this.#state.underWay.filter((each) => each !== request),
      served: this.#state.served + 1,
    });
  }
}
