// Whether a change needs a table to begin with.

import type { Change } from "../../stages/m4/src/control-plane/stored.ts";

/** Whether the change is a whole table (`PUT`), and not a change to one (`PATCH`, `DELETE`), which looks at what is there. */
export function replacesAll(change: Change): boolean {
  let isRead = false;
  change({
    version: "",
    defaultPlacement: "",
    placements: {},
    get routingTable() {
      isRead = true;
      return {};
    },
  });
  return !isRead;
}
