// Which scene shows the outage of an exercise.

import { counted, type SceneOf } from "./scene-spec.ts";
import { scenesOfM4 } from "./scenes/m4.ts";

const scenes: Readonly<Record<string, SceneOf>> = {
  "m1/01-route-lookup": {
    simulation: "route",
    scenarios: [
      {
        name: "constructor",
        tests: [],
        values: { shared: false, faults: "", odd: "constructor" },
        words: "One of the tenants is called constructor. Watch where its requests go.",
      },
      {
        name: "__proto__",
        tests: ["proto"],
        values: { shared: false, faults: "", odd: "__proto__" },
        words: "One of the tenants is called __proto__. Watch where its requests go.",
      },
      {
        name: "toString",
        tests: ["method-name"],
        values: { shared: false, faults: "", odd: "toString" },
        words: "One of the tenants is called toString. Watch where its requests go.",
      },
    ],
  },
  "m2/02-atomic-swap": {
    simulation: "swap",
    scenarios: [
      {
        name: "acme moves",
        tests: [],
        values: {},
        words:
          "acme moves between tier1 and tier2 while its requests are under way, and the cell that it leaves is removed. Watch the log, and the connections to the removed cell. A response that is logged under another table counts as failed.",
      },
    ],
    ending: ({ torn = 0, cells = [] }) => {
      const open = cells.filter(({ isInTable, isOpen }) => isOpen && !isInTable).length;
      return `the log has ${counted(torn, "impossible line", "impossible lines")}; ${counted(open, "removed cell", "removed cells")} still connected`;
    },
  },
  "m3/02-epoch-revision": {
    simulation: "fleet",
    scenarios: [
      {
        name: "an old backup",
        tests: [],
        values: { isRival: false, store: "backup" },
        words:
          "The control plane comes back from an old backup and begins a new epoch. Watch which routers follow it.",
      },
    ],
    hidden: ["rival", "damage", "store"],
    ending: ({ routers = [], controlPlane }) => {
      const follow = routers.filter(({ epoch }) => epoch === controlPlane?.epoch).length;
      return `${follow} of ${routers.length} routers follow the control plane's epoch`;
    },
  },
  "m3/03-full-jitter": {
    simulation: "fleet",
    scenarios: [
      {
        name: "everyone comes back",
        tests: [],
        values: { isRival: false },
        words:
          "The control plane is down for six seconds and takes only a few handshakes at once. Watch how the routers come back.",
      },
    ],
    hidden: ["rival", "damage", "store"],
    ending: ({ falls = 0 }) => `the control plane was knocked over ${counted(falls, "time", "times")}`,
  },
  ...scenesOfM4,
};

export function sceneOf(id: string): SceneOf | undefined {
  return scenes[id];
}
