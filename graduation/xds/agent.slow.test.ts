import { describe, expect, it } from "vitest";
import { eventually } from "../../shared/testkit/eventually.ts";
import { isRunning } from "../../shared/testkit/process-by-port.ts";
import { Program } from "../../shared/testkit/program.ts";
import { envoyMissing, envoyVersion } from "./envoy.ts";
import { PushedLab } from "./pushed-lab.ts";

const version = envoyVersion();

describe.skipIf(version === undefined)(
  version === undefined
    ? `Envoy under our control plane (skipped: ${envoyMissing})`
    : `Envoy ${version} under our control plane`,
  () => {
    it("serves a moved key by its new cell once the revision is acked", async () => {
      await using lab = await PushedLab.start();
      expect((await lab.ask("acme")).headers["x-cell"]).toBe("tier1");
      for (const cell of ["tier2", "tier1", "tier3"]) {
        const revision = await lab.move("acme", cell);
        await lab.acked(revision);
        expect((await lab.ask("acme")).headers["x-cell"]).toBe(cell);
      }
    });

    it("loses no request while keys move and a cell is replaced by another", async () => {
      await using lab = await PushedLab.start();
      const done = new AbortController();
      const statuses: number[] = [];
      const load = Array.from({ length: 4 }, async () => {
        while (!done.signal.aborted) statuses.push((await lab.ask("acme")).status);
      });
      for (let i = 0; i < 10 || statuses.length <= 20; i++)
        await lab.acked(await lab.move("acme", i % 2 === 0 ? "tier2" : "tier1"));
      // tier1 leaves the table: its cluster goes last, when no route names it any more.
      const removed = await lab.put(({ tier1: _, ...placements }) => placements, { acme: "tier2" });
      await lab.acked(removed);
      done.abort();
      await Promise.all(load);
      expect(statuses.filter((status) => status !== 200)).toEqual([]);
      expect((await lab.ask("acme")).headers["x-cell"]).toBe("tier2");
    });

    it("never serves a key by a cell that changes hands in the same push", async () => {
      await using lab = await PushedLab.start();
      const swap: Parameters<PushedLab["put"]>[0] = ({ visa, tier1, ...others }) => ({
        ...others,
        ...(visa && tier1 ? { visa: { ...visa, url: tier1.url }, tier1: { ...tier1, url: visa.url } } : {}),
      });
      for (let i = 0; i < 5; i++) {
        const done = new AbortController();
        const cells = new Set<string>();
        const load = Array.from({ length: 4 }, async () => {
          while (!done.signal.aborted) cells.add(String((await lab.ask("acme")).headers["x-cell"]));
        });
        // acme leaves tier1 in the very push that gives tier1 the cell of visa.
        await lab.acked(await lab.put(swap, { visa: "visa", acme: "tier2" }));
        done.abort();
        await Promise.all(load);
        expect([...cells].filter((cell) => cell === "visa")).toEqual([]);
        await lab.acked(await lab.put((placements) => placements, { visa: "visa", acme: "tier2" }));
        await lab.acked(await lab.put(swap, { visa: "visa", acme: "tier2" }));
        await lab.acked(await lab.move("acme", "tier1"));
      }
    });

    it("nacks in Envoy's words what Envoy refuses, and goes on with what it has", async () => {
      await using lab = await PushedLab.start();
      // One token in 30,000 years: valid for us, and longer than protobuf's durations.
      await lab.put(
        (placements) => placements,
        { acme: "tier2" },
        { acme: { ratePerSecond: 1e-12, burst: 1 } },
      );
      const nack = await eventually(async () => (await lab.router())?.lastNack, { what: "a nack" });
      expect(nack.reasons.join()).toMatch(/Envoy refuses the listeners: .*(duration|Duration|fill_interval)/);
      expect((await lab.ask("acme")).headers["x-cell"]).toBe("tier1");
      await lab.acked(await lab.put((placements) => placements, { acme: "tier3" }));
      expect((await lab.ask("acme")).headers["x-cell"]).toBe("tier3");
    });

    it("ends with the process that started it, also after SIGKILL", async () => {
      const lab = new URL("./pushed-lab.ts", import.meta.url).href;
      const script = `
        const { PushedLab } = await import(${JSON.stringify(lab)});
        const { url, envoy, controlPlane } = await PushedLab.start();
        const pids = [envoy.program.pid, controlPlane.pid];
        console.log(JSON.stringify({ event: "ready", url, pids }));`;
      const args = ["--input-type=module", "--eval", script];
      await using program = new Program({ name: "the lab", command: process.execPath, args });
      const { pids } = (await program.ready()) as { readonly pids?: readonly number[] };
      expect(pids?.map(isRunning)).toEqual([true, true]);
      await program.kill();
      await eventually(() => pids?.every((pid) => !isRunning(pid)), { what: "both have ended" });
    });

    it("serves on when the control plane has died", async () => {
      await using lab = await PushedLab.start();
      await lab.acked(await lab.move("acme", "tier2"));
      await lab.controlPlane.kill();
      expect((await lab.ask("acme")).headers["x-cell"]).toBe("tier2");
    });
  },
);
