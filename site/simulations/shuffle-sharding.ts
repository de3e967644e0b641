// Annex: one tenant sends a request that kills whatever serves it, again and again. How many of the others does it take
// along, when all share all workers, when they are cut into fixed shards, and when each has a hand of its own?

import { EventQueue } from "./event-queue.ts";
import { seededRandom } from "./random.ts";
import {
  numberOf,
  type Recording,
  type SimEvent,
  type Simulation,
  seedParameter,
  type Tone,
  textOf,
  type Values,
} from "./simulation.ts";

export interface ShardingState {
  readonly workers: readonly { readonly name: string; readonly isUp: boolean }[];
  /** Workers of each tenant, by index. The first tenant is the poisonous one. */
  readonly tenants: readonly { readonly workers: readonly number[]; readonly up: number }[];
}

export const shuffleSharding: Simulation<ShardingState> = {
  name: "shuffle",
  durationMs: 6_000,
  worlds: [{ name: "one", label: () => "Workers and tenants", values: {} }],
  rows: ["share"],
  share: {
    label: "Other tenants that are served",
    of: ({ tenants }) => {
      const others = tenants.slice(1);
      return others.filter(({ up }) => up > 0).length / Math.max(1, others.length);
    },
  },
  parameters: [
    seedParameter,
    {
      kind: "choice",
      name: "layout",
      label: "Layout",
      choices: [
        { value: "shuffle", label: "a shuffled hand for each tenant" },
        { value: "shards", label: "fixed shards" },
        { value: "shared", label: "everyone on every worker" },
      ],
      value: "shuffle",
    },
    { kind: "number", name: "workers", label: "Workers", min: 4, max: 16, step: 1, value: 8 },
    { kind: "number", name: "hand", label: "Workers per tenant", min: 1, max: 4, step: 1, value: 2 },
    { kind: "number", name: "tenants", label: "Tenants", min: 2, max: 60, step: 1, value: 40 },
  ],
  before: (values) => stateOf(dealt(values), new Set(), numberOf(values, "workers")),
  run,
};

/** Ways to choose `hand` of `workers`: two tenants share all of theirs with a chance of one in this. */
export function combinations(workers: number, hand: number): number {
  let ways = 1;
  for (let i = 0; i < hand; i++) ways = (ways * (workers - i)) / (i + 1);
  return Math.round(ways);
}

function dealt(values: Values): number[][] {
  const random = seededRandom(numberOf(values, "seed"));
  const workers = numberOf(values, "workers");
  const hand = Math.min(workers, numberOf(values, "hand"));
  const layout = textOf(values, "layout");
  return Array.from({ length: numberOf(values, "tenants") }, (_, tenant) => {
    const all = Array.from({ length: workers }, (_, worker) => worker);
    if (layout === "shared") return all;
    if (layout === "shards") {
      const shards = Math.floor(workers / hand);
      return all.slice((tenant % shards) * hand, (tenant % shards) * hand + hand);
    }
    // Fisher–Yates, as far as the hand goes.
    for (let i = 0; i < hand; i++) {
      const j = i + Math.floor(random() * (workers - i));
      [all[i], all[j]] = [all[j] as number, all[i] as number];
    }
    return all.slice(0, hand).sort((a, b) => a - b);
  });
}

function stateOf(tenants: readonly number[][], down: ReadonlySet<number>, workers: number): ShardingState {
  return {
    workers: Array.from({ length: workers }, (_, worker) => ({
      name: `w${worker + 1}`,
      isUp: !down.has(worker),
    })),
    tenants: tenants.map((mine) => ({
      workers: mine,
      up: mine.filter((worker) => !down.has(worker)).length,
    })),
  };
}

function run(values: Values): Recording<ShardingState> {
  const tenants = dealt(values);
  const workers = numberOf(values, "workers");
  const queue = new EventQueue();
  const events: SimEvent<ShardingState>[] = [];
  const down = new Set<number>();
  const emit = (actor: string, what: string, tone: Tone) =>
    events.push({ atMs: queue.nowMs, actor, what, tone, state: stateOf(tenants, down, workers) });
  const [poison = []] = tenants;

  emit("tenant 1", `is served by ${poison.map((worker) => `w${worker + 1}`).join(", ")}`, "info");
  for (const [index, worker] of poison.entries()) {
    // All of them within the first five seconds, however many there are.
    queue.at(500 + (index * 4_500) / poison.length, () => {
      down.add(worker);
      emit("tenant 1", `sends its request to w${worker + 1}, which dies`, "bad");
      const dead = tenants.slice(1).filter((mine) => mine.every((each) => down.has(each))).length;
      const hurt = tenants.slice(1).filter((mine) => mine.some((each) => down.has(each))).length - dead;
      emit(
        "others",
        `${dead} of ${tenants.length - 1} have no worker left, ${hurt} have fewer`,
        dead > 0 ? "bad" : hurt > 0 ? "warn" : "good",
      );
    });
  }
  queue.runUntil(shuffleSharding.durationMs);
  return { events, trips: [], bands: [], culprits: new Set() };
}
