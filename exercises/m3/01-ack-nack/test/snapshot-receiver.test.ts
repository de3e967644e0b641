import { test } from "vitest";
import {
  decodeFromRouter,
  type Examined,
  encode,
  encodeSnapshot,
  type Position,
} from "../../../../stages/m3/src/protocol.ts";
import type { RoutingTable } from "../../../../stages/m3/src/routing-table.ts";
import { check, within } from "../../../support/check.ts";
import { type Received, SnapshotReceiver } from "../starter/snapshot-receiver.ts";

const lookAt = "snapshot-receiver.ts, #onSnapshot";
const checksum = "a".repeat(64);
const at = (revision: number): Position => ({ epoch: "k", revision, checksum });
const snapshot = (revision: number) => encodeSnapshot(at(revision), "{}");

const tier1 = { name: "tier1", kind: "tier", url: "http://127.0.0.1:9001" } as const;
const table: RoutingTable = {
  version: "1",
  defaultPlacement: tier1,
  placements: new Map([["tier1", tier1]]),
  placementByKey: new Map(),
};
const good: Examined = { ok: true, table, checksum };
const invalid: Examined = { ok: false, faults: ["defaultPlacement: missing"] };

interface Setting {
  /** What the look into each table finds, in this order; the last one stays. @default good */
  readonly finds?: readonly (Examined | Promise<Examined>)[];
  readonly apply?: (revision: number) => void | Promise<void>;
}

/** A router, and the link over which its messages come. */
function router({ finds = [good], apply = () => {} }: Setting = {}) {
  const left = [...finds];
  const applied: number[] = [];
  const receiver = new SnapshotReceiver({
    examine: () => (left.length > 1 ? left.shift() : left[0]) ?? good,
    apply: async (_table, { revision }) => {
      await apply(revision);
      applied.push(revision);
    },
  });
  const link = receiver.openLink();
  return {
    link,
    applied,
    send: async (revision: number) =>
      within(1_000, "receive to resolve", receiver.receive(snapshot(revision), link)),
    receive: (bytes: Uint8Array) => within(1_000, "receive to resolve", receiver.receive(bytes, link)),
    runs: () => receiver.held()?.revision,
    helloHas: () => receiver.hello("r-1").have?.revision,
  };
}

/** `ack 2, applied` or `nack 3 (reasons), refused`. */
function words(received: Received): string {
  if (received.kind === "fault") return `the link ends: ${received.fault}`;
  if (received.kind === "void") return "void";
  const { reply, outcome, upToDate } = received;
  if (reply.type === "hello") return "hello";
  const reasons = reply.type === "nack" ? ` (${reply.reasons.join("; ")})` : "";
  return `${reply.type} ${reply.revision}${reasons}, ${outcome}${upToDate ? ", up to date" : ""}`;
}

/** Lets every promise that is ready run. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

test("an applied snapshot is acknowledged, and the next hello names it", async () => {
  await check({
    sent: "revision 1, then revision 2",
    expected: {
      replies: ["ack 1, applied, up to date", "ack 2, applied, up to date"],
      applied: [1, 2],
      helloHas: 2,
    },
    got: async () => {
      const { send, applied, helloHas } = router();
      const replies = [words(await send(1)), words(await send(2))];
      return { replies, applied, helloHas: helloHas() };
    },
    likely: "What is applied is what the router runs, and it says so.",
    lookAt,
  });
});

test("what is not a message of the protocol ends the link", async () => {
  await check({
    sent: '"{" instead of a message',
    expected: "the link ends: Not JSON",
    got: async () => words(await router().receive(new TextEncoder().encode("{"))),
    likely: "There is nothing to acknowledge or to refuse in it.",
    lookAt: "snapshot-receiver.ts, receive",
  });
});

test("a snapshot is not acknowledged before it is applied", async () => {
  await check({
    sent: "revision 1; then revision 2, whose apply takes its time",
    expected: { meanwhile: "no reply", afterwards: "ack 2, applied, up to date" },
    got: async () => {
      const gate = Promise.withResolvers<void>();
      const { send } = router({ apply: (revision) => (revision === 2 ? gate.promise : undefined) });
      await send(1);
      let meanwhile = "no reply";
      let open = false;
      const reply = send(2).then((received) => {
        if (!open) meanwhile = words(received);
        return words(received);
      });
      await settled();
      open = true;
      gate.resolve();
      return { meanwhile, afterwards: await reply };
    },
    likely: "The router claims a table that it does not run yet.",
    lookAt: 'snapshot-receiver.ts, the verdict "apply" in #onSnapshot',
    hint: 1,
  });
});

test("a table that could not be applied is not held", async () => {
  await check({
    sent: "revision 1; then revision 2, whose apply fails; then hello",
    expected: { said: "no reply", helloHas: 1 },
    got: async () => {
      const { send, helloHas } = router({
        apply: (revision) => {
          if (revision === 2) throw new Error("no memory");
        },
      });
      await send(1);
      const said = await send(2).then(words, () => "no reply");
      return { said, helloHas: helloHas() };
    },
    likely: "The next hello claims a table that was never in use, so nobody sends it again.",
    lookAt: 'snapshot-receiver.ts, the verdict "apply" in #onSnapshot',
    hint: 1,
  });
});

test("a refused table is answered with a nack and its reasons", async () => {
  await check({
    sent: "revision 1; then revision 2 with an invalid table",
    expected: "nack 2 (defaultPlacement: missing), refused",
    got: async () => {
      const { send } = router({ finds: [good, invalid] });
      await send(1);
      return words(await send(2));
    },
    likely: "The control plane does not learn what is wrong with its table, or loses the link over it.",
    lookAt: 'snapshot-receiver.ts, the verdict "nack" in #onSnapshot',
    hint: 2,
  });
});

test("a refused table changes nothing, and the next one is taken", async () => {
  await check({
    sent: "revision 1; revision 2 with an invalid table; revision 3",
    expected: { helloAfter2: 1, reply3: "ack 3, applied, up to date", applied: [1, 3] },
    got: async () => {
      const { send, applied, helloHas } = router({ finds: [good, invalid, good] });
      await send(1);
      await send(2);
      const helloAfter2 = helloHas();
      return { helloAfter2, reply3: words(await send(3)), applied };
    },
    likely: "What was refused is treated as if it were in use.",
    lookAt: 'snapshot-receiver.ts, the verdict "nack" in #onSnapshot',
    hint: 2,
  });
});

test("a nack with five thousand faults can be read by the control plane", async () => {
  await check({
    sent: "revision 1 with 5,000 faults in its table; the reply, as the control plane decodes it",
    expected: "nack 1",
    got: async () => {
      const faults = Array.from(
        { length: 5_000 },
        (_, line) => `routingTable.tenant-${line}: no such placement`,
      );
      const received = await router({ finds: [{ ok: false, faults }] }).send(1);
      if (received.kind !== "reply") return words(received);
      const decoded = decodeFromRouter(new TextEncoder().encode(encode(received.reply)));
      if (!decoded.ok) return `the control plane does not understand: ${decoded.fault}`;
      return decoded.message.type === "nack" ? `nack ${decoded.message.revision}` : decoded.message.type;
    },
    likely: "A message has bounds, and a bad table has as many faults as it likes.",
    lookAt: 'snapshot-receiver.ts, the verdict "nack" in #onSnapshot',
    hint: 2,
  });
});

test("a late snapshot is answered with what the router runs", async () => {
  await check({
    sent: "revision 5, then the late revision 3",
    expected: { reply: "ack 5, ignored", applied: [5] },
    got: async () => {
      const { send, applied } = router();
      await send(5);
      return { reply: words(await send(3)), applied };
    },
    likely: "The control plane reads from this reply what the router runs.",
    lookAt: 'snapshot-receiver.ts, the verdict "ignore" in #onSnapshot',
    hint: 3,
  });
});

test("a repeated snapshot is acknowledged again, and not applied again", async () => {
  await check({
    sent: "revision 5 twice",
    expected: { reply: "ack 5, ignored, up to date", applied: [5] },
    got: async () => {
      const { send, applied } = router();
      await send(5);
      return { reply: words(await send(5)), applied };
    },
    likely: "The first acknowledgement may have been lost: the second one is as good.",
    lookAt: 'snapshot-receiver.ts, the verdict "ignore" in #onSnapshot',
  });
});

test("a snapshot whose link closed while it was examined is void", async () => {
  await check({
    sent: "revision 1; revision 2, and the link closes while its table is examined",
    expected: { reply: "void", applied: [1], helloHas: 1 },
    got: async () => {
      const gate = Promise.withResolvers<Examined>();
      const { send, link, applied, helloHas } = router({ finds: [good, gate.promise] });
      await send(1);
      const reply = send(2);
      link.open = false;
      gate.resolve(good);
      return { reply: words(await reply), applied, helloHas: helloHas() };
    },
    likely: "Another link may be open by now, and it says what is in force.",
    lookAt: "snapshot-receiver.ts, after the examination in #onSnapshot",
  });
});
