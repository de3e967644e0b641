import { describe, expect, test } from "vitest";
import { eventually } from "../eventually.ts";
import { respondToAll, startHostileUpstream } from "../hostile-upstream.ts";
import { failOnLeaks } from "../leak-check.ts";
import { RawClient, sendRaw } from "../raw-client.ts";

failOnLeaks();

const get = (path = "/") => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

describe("a hostile upstream", () => {
  test("answers with any bytes, and keeps every byte that came", async () => {
    await using upstream = await startHostileUpstream(respondToAll(ok));
    await using client = await RawClient.connect(upstream.url);
    await client.write(get("/one") + get("/two"));
    expect((await client.readResponse()).text()).toBe("ok");
    expect((await client.readResponse()).text()).toBe("ok");
    expect((await upstream.requestsSeen()).map((each) => each.target)).toEqual(["/one", "/two"]);
    expect(upstream.connections[0]?.received().toString()).toBe(get("/one") + get("/two"));
  });

  test("goes on keeping what comes after its script has ended", async () => {
    await using upstream = await startHostileUpstream(async (connection) => {
      await connection.readRequest();
    });
    await using client = await RawClient.connect(upstream.url);
    await client.write(get("/one"));
    await client.write(get("/smuggled"));
    await eventually(async () => (await upstream.requestsSeen()).length === 2, {
      what: "both requests seen",
    });
  });

  test("resets, closes and half-closes so that its client can tell them apart", async () => {
    await using upstream = await startHostileUpstream(async (connection) => {
      const { target } = await connection.readRequest();
      if (target === "/reset") return connection.reset();
      await connection.write("HTTP/1.1 200 OK\r\n\r\npart");
      if (target === "/close") await connection.close();
      else connection.halfClose();
    });
    await using client = await RawClient.connect(upstream.url);
    await client.write(get("/reset"));
    expect(await client.untilClosed()).toBe("reset");
    expect((await sendRaw(upstream.url, get("/close"))).ending).toBe("until-close");
    expect((await sendRaw(upstream.url, get("/half"))).text()).toBe("part");
  });

  test("feels a client that does not read: its writes stop", async () => {
    let written = 0;
    await using upstream = await startHostileUpstream(async (connection) => {
      const block = Buffer.alloc(1_048_576);
      while (written < 64 * block.length && (await connection.write(block))) written += block.length;
    });
    await using client = await RawClient.connect(upstream.url);
    let before = -1;
    await eventually(
      () => {
        const still = before === written;
        before = written;
        return still;
      },
      { what: "the writes stand still", everyMs: 200 },
    );
    expect(written).toBeLessThan(32 * 1_048_576);
    await client.close();
  });

  test("keeps the errors of its script, but not a client that left", async () => {
    await using upstream = await startHostileUpstream(async (connection) => {
      const { target } = await connection.readRequest();
      if (target === "/bug") throw new Error("a bug in the script");
    });
    await using leaver = await RawClient.connect(upstream.url);
    await leaver.close();
    await using client = await RawClient.connect(upstream.url);
    await client.write(get("/bug"));
    await client.untilClosed();
    expect(upstream.scriptErrors.map(String)).toEqual(["Error: a bug in the script"]);
  });
});

test("a read that gets nothing fails with what has come so far", async () => {
  await using upstream = await startHostileUpstream(async (connection) => {
    await connection.write("HTTP/1.1 200 O");
  });
  await using client = await RawClient.connect(upstream.url, { deadlineMs: 50 });
  expect(await client.reader.more(10_000)).toBe(true);
  await expect(client.readResponse()).rejects.toThrow(/within 50 ms.*HTTP\/1.1 200 O/);
});
