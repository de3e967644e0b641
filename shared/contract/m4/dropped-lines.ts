// Log lines that could not be written are counted where somebody looks: in the metrics. The case starts a router of its own,
// because it needs that router's standard output.

import { describe, expect, test } from "vitest";
import { eventually } from "../../testkit/eventually.ts";
import { LogPipe } from "../../testkit/log-places.ts";
import { sendRaw } from "../../testkit/raw-client.ts";
import { form } from "../grades.ts";
import type { ReloadTarget } from "../m2/target.ts";
import { requestBytes } from "../messages.ts";
import { parsePrometheusText, sumOf } from "./prometheus-text.ts";

const name = "cell_router_log_lines_dropped_total";

export function describeDroppedLines(target: ReloadTarget): void {
  describe.skipIf(target.startLoggingTo === undefined)("lines that the log has lost", form, () => {
    test("are counted in the metrics", async () => {
      using pipe = LogPipe.open();
      await using router = await target.startLoggingTo?.({ stdout: pipe.fd });
      expect(router).toBeDefined();
      pipe.handOver();
      const { url, adminUrl } = await pipe.waitFor("ready");
      const fields = [`Host: ${new URL(String(adminUrl)).host}`, "Connection: close"];
      const dropped = async () => {
        const bytes = requestBytes({ target: "/metrics", key: null, fields });
        return sumOf(parsePrometheusText((await sendRaw(String(adminUrl), bytes)).text()), name);
      };
      const askWithoutKey = async () => {
        const response = await sendRaw(
          String(url),
          requestBytes({ key: null, fields: ["Connection: close"] }),
        );
        expect(response.status).toBe(400);
      };
      await askWithoutKey();
      await pipe.waitFor("request");
      expect(await dropped()).toBe(0);
      pipe.leave();
      for (let n = 0; n < 10; n++) await askWithoutKey();
      await eventually(async () => (await dropped()) === 10, {
        what: "ten dropped lines are counted",
        deadlineMs: 10_000,
      });
    });
  });
}
