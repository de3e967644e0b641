// What happens to a control plane: it is killed, and its routers move to another one.

import type { Fault } from "./round.ts";

export const controlPlaneKilled: Fault = {
  name: "control-plane-killed",
  title: "a control plane is killed: its routers move to the other one, and it comes back",
  since: "the kill",
  run: async (round) => {
    const { world } = round;
    const [view] = await world.routerViews();
    // The one that the first router is linked to, so that at least one has to move.
    const killed = world.controlPlanes.find(({ url }) => view?.controlPlane.includes(new URL(url).host));
    if (killed === undefined) throw new Error(`No control plane has the address ${view?.controlPlane}`);
    round.strike();
    await killed.kill();
    await round.recovered();
    await killed.start();
    await round.storedBy(4);
  },
};
