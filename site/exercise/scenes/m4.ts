// The scenes of m4's exercises.

import { counted, type SceneOf } from "../scene-spec.ts";

const fellOver: SceneOf["ending"] = ({ falls = 0 }) =>
  `the cell fell over ${counted(falls, "time", "times")}`;

export const scenesOfM4: Readonly<Record<string, SceneOf>> = {
  "m4/01-token-bucket": {
    simulation: "burst",
    scenarios: [
      {
        name: "the full second",
        tests: [],
        values: {},
        words:
          "acme's batch job may send 10 requests per second and sends them around the full second. globex shares the cell.",
      },
    ],
    ending: fellOver,
  },
  "m4/02-circuit-breaker": {
    simulation: "resilience",
    scenarios: [
      {
        name: "a cell that hangs",
        tests: [],
        values: { health: false, failover: true, retries: false, bulkhead: false, limit: false },
        words: "tier1 accepts requests and never responds. Watch how many requests still go there.",
      },
      {
        name: "a quiet cell",
        tests: ["first-failure", "minimum"],
        values: {
          health: false,
          failover: false,
          retries: false,
          bulkhead: false,
          limit: false,
          rate: 2,
          fault: "error",
          faults: "cell-tier1_0_1500",
        },
        words:
          "Two requests per second, and tier1 fails only in the first moments. Watch who is turned away after that.",
      },
      {
        name: "every other second",
        tests: ["ratio", "below-ratio", "ratio-late", "window", "window-slides"],
        values: {
          health: false,
          failover: true,
          retries: false,
          bulkhead: false,
          limit: false,
          fault: "flap",
        },
        words: "tier1 fails every other second. Watch how many requests still go there.",
      },
    ],
  },
  "m4/03-half-open": {
    simulation: "stampede",
    scenarios: [
      {
        name: "the stampede",
        tests: [],
        values: { case: "crash" },
        words:
          "The cell crashes, comes back with cold caches, and bears six requests at once until it has served three. Watch what half-open lets through.",
      },
      {
        name: "clients leave",
        tests: ["no-failure", "no-success", "abandoned", "success-and-abandoned"],
        values: { case: "leave" },
        words:
          "The cell comes back slow, and half of the clients leave before it has responded. Watch whether half-open ends, and how.",
      },
      {
        name: "late results",
        tests: ["late-success", "late-failure", "late-abandoned", "earlier-phase", "late-closed"],
        values: { case: "reports" },
        words:
          "initech's reports began before the crash and end one after the other until 12 s, one in four with an error. Watch what their results do to the circuit.",
      },
      {
        name: "a long outage",
        tests: ["from-failure", "doubles", "grows-on", "most", "anew"],
        values: { case: "long" },
        words: "The cell is down for twelve seconds. Watch how often the circuit tries it.",
      },
    ],
    hidden: ["case"],
    ending: ({ falls = 0, inVain = 0 }) =>
      `the cell fell over ${counted(falls, "time", "times")}, ${counted(inVain, "request", "requests")} met it while it was down`,
  },
  "m4/04-health-rise-fall": {
    simulation: "resilience",
    scenarios: [
      {
        name: "seven bad seconds",
        tests: [],
        values: {
          breaker: false,
          health: true,
          retries: false,
          bulkhead: false,
          limit: false,
          fault: "error",
        },
        words:
          "tier1 responds with 503 for seven seconds; the other cells are well all the time. Watch how often the router changes its mind about a cell.",
      },
    ],
    ending: (_state, events) => {
      const changes = events.filter(({ actor }) => actor.startsWith("health ")).length;
      return `a cell's health changed ${counted(changes, "time", "times")}`;
    },
  },
  "m4/05-retry-budget": {
    simulation: "resilience",
    scenarios: [
      {
        name: "an outage",
        tests: [],
        values: { breaker: false, failover: false, retries: true, bulkhead: false, fault: "error" },
        words: "tier1 responds with 503. Watch how many retries it gets on top of its load.",
      },
    ],
    ending: ({ retries = 0 }) => counted(retries, "retry", "retries"),
  },
  "m4/06-concurrency-limit": {
    simulation: "places",
    scenarios: [
      {
        name: "clients leave",
        tests: [],
        values: { trouble: "leave" },
        words:
          "The cell bears eight requests at once, behind a limit of four. From 4 s to 9 s it is slow, and clients leave. Watch how many permits count as taken, and how many requests the cell gets at once.",
      },
      {
        name: "refused connections",
        tests: ["failed", "thrown"],
        values: { trouble: "refuse" },
        words:
          "From 4 s to 9 s the cell refuses connections. Watch how many permits are taken after that, and by whom.",
      },
    ],
    hidden: ["trouble"],
    ending: ({ falls = 0, lost = 0 }) =>
      `the cell fell over ${counted(falls, "time", "times")}, ${counted(Math.max(0, lost), "permit is", "permits are")} held by nobody`,
  },
  "m4/07-failover": {
    simulation: "resilience",
    scenarios: [
      {
        name: "a failing cell",
        tests: [],
        values: { health: false, retries: false, bulkhead: false, limit: false },
        words: "tier1 fails, and its fallback is tier2. Watch which cell serves acme meanwhile.",
      },
    ],
    ending: ({ failovers = {} }) =>
      Object.entries(failovers)
        .map(
          ([way, count]) =>
            `${way.split(" ")[1]} stood in for ${way.split(" ")[0]} ${counted(count, "time", "times")}`,
        )
        .join(", ") || "nobody stood in for tier1",
  },
};
