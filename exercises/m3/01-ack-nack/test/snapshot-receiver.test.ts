import { test } from "vitest";
import {
  decodeFromRouter,
  encode,
  encodeSnapshot,
  type Position,
  type Validated,
} from "../../../../stages/m3/src/protocol.ts";
import type { RoutingTable } from "../../../../stages/m3/src/routing-table.ts";
import { check, ifGot, within } from "../../../support/check.ts";
import { type Received, SnapshotReceiver } from "../starter/snapshot-receiver.ts";

const lookAt = "snapshot-receiver.ts, #onSnapshot";
const lookAtApply = 'snapshot-receiver.ts, the verdict "apply" in #onSnapshot';
const lookAtNack = 'snapshot-receiver.ts, the verdict "nack" in #onSnapshot';
const lookAtIgnore = 'snapshot-receiver.ts, the verdict "ignore" in #onSnapshot';
const checksum = "a".repeat(64);

/** `k/2`: an epoch and a revision. All tables here have the same content. */
type Name = `${"k" | "m"}/${number}`;

function positionOf(name: Name): Position {
  const [epoch = "", revision] = name.split("/");
  return { epoch, revision: Number(revision), checksum };
}

function nameOf(position: Pick<Position, "epoch" | "revision"> | null | undefined): string {
  return position === null || position === undefined ? "nothing" : `${position.epoch}/${position.revision}`;
}

const tier1 = { name: "tier1", kind: "tier", url: "http://127.0.0.1:9001" } as const;
const table: RoutingTable = {
  version: "1",
  defaultPlacement: tier1,
  placements: new Map([["tier1", tier1]]),
  placementByKey: new Map(),
};
const good: Validated = { ok: true, table, checksum };
const invalid: Validated = { ok: false, faults: ["defaultPlacement: missing"] };

interface Setting {
  /** What the look into each table finds, in this order; the last one stays. @default good */
  readonly finds?: readonly (Validated | Promise<Validated>)[];
  readonly apply?: (name: string) => void | Promise<void>;
}

/** A router, and the link over which its messages come. */
function router({ finds = [good], apply = () => {} }: Setting = {}) {
  const left = [...finds];
  const applied: string[] = [];
  const receiver = new SnapshotReceiver({
    validate: () => (left.length > 1 ? left.shift() : left[0]) ?? good,
    apply: async (_table, position) => {
      await apply(nameOf(position));
      applied.push(nameOf(position));
    },
  });
  const link = receiver.openLink();
  const receive = (bytes: Uint8Array, over = link) =>
    within(1_000, "receive to resolve", receiver.receive(bytes, over));
  return {
    link,
    newLink: () => receiver.openLink(),
    applied,
    receive,
    send: (name: Name, over = link) => receive(encodeSnapshot(positionOf(name), "{}"), over),
    helloHas: () => nameOf(receiver.hello("r-1").have),
  };
}

/** `ack k/2, applied` or `nack k/3 (reasons), refused`. */
function words(received: Received): string {
  if (received.kind === "fault") return `the link ends: ${received.fault}`;
  if (received.kind === "void") return "void";
  const { reply, outcome, upToDate } = received;
  if (reply.type === "hello") return "hello";
  const reasons = reply.type === "nack" ? ` (${reply.reasons.join("; ")})` : "";
  return `${reply.type} ${nameOf(reply)}${reasons}, ${outcome}${upToDate ? ", up to date" : ""}`;
}

/** Lets every promise that is ready run. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

test("an applied snapshot is acknowledged, and the next hello names it", async () => {
  await check({
    sent: "k/1, then k/2 (epoch/revision)",
    expected: {
      replies: ["ack k/1, applied, up to date", "ack k/2, applied, up to date"],
      applied: ["k/1", "k/2"],
      helloHas: "k/2",
    },
    got: async () => {
      const { send, applied, helloHas } = router();
      const replies = [words(await send("k/1")), words(await send("k/2"))];
      return { replies, applied, helloHas: helloHas() };
    },
    likely: ifGot(
      [
        ({ applied }) => applied.join() !== "k/1,k/2",
        "The two tables were not applied once each and in order.",
      ],
      [({ helloHas }) => helloHas !== "k/2", "k/2 was applied, but the next hello doesn't name it."],
      [
        ({ replies }) => replies.some((reply) => !reply.startsWith("ack")),
        "A table was applied, but the reply is not an ack.",
      ],
    ),
    lookAt: lookAtApply,
  });
});

test("what is not a message of the protocol ends the link", async () => {
  await check({
    sent: '"{" instead of a message',
    expected: "the link ends: Not JSON",
    got: async () => words(await router().receive(new TextEncoder().encode("{"))),
    likely: ifGot([
      (got) => !got.startsWith("the link ends"),
      "The bytes are not a message, but the link goes on.",
    ]),
    lookAt: "snapshot-receiver.ts, receive",
  });
});

test("a snapshot is not acknowledged before it is applied", async () => {
  await check({
    sent: "k/1; then k/2, whose apply takes its time",
    expected: { meanwhile: "no reply", afterwards: "ack k/2, applied, up to date" },
    got: async () => {
      const gate = Promise.withResolvers<void>();
      const { send } = router({ apply: (name) => (name === "k/2" ? gate.promise : undefined) });
      await send("k/1");
      let meanwhile = "no reply";
      let open = false;
      const reply = send("k/2").then((received) => {
        if (!open) meanwhile = words(received);
        return words(received);
      });
      await settled();
      open = true;
      gate.resolve();
      return { meanwhile, afterwards: await reply };
    },
    likely: ifGot(
      [({ meanwhile }) => meanwhile.startsWith("ack"), "The ack went out while apply was still running."],
      [({ meanwhile }) => meanwhile !== "no reply", "A reply went out while apply was still running."],
    ),
    lookAt: lookAtApply,
    hint: 1,
  });
});

test("a table that could not be applied is not held", async () => {
  await check({
    sent: "k/1; then k/2, whose apply fails; then hello; then k/2 again, whose apply succeeds",
    expected: "no ack of k/2 at first, then hello with k/1, then ack k/2, applied, up to date",
    got: async () => {
      let attempts = 0;
      const { send, helloHas } = router({
        apply: (name) => {
          if (name !== "k/2") return;
          attempts += 1;
          if (attempts === 1) throw new Error("no memory");
        },
      });
      await send("k/1");
      const first = await send("k/2").then(words, () => "no reply");
      const hello = helloHas();
      return { first, helloHas: hello, again: words(await send("k/2")) };
    },
    // Whether a failure is answered with a nack, or not at all, is left to the answer.
    accept: ({ first, helloHas, again }) =>
      !first.startsWith("ack k/2") && helloHas === "k/1" && again === "ack k/2, applied, up to date",
    likely: ifGot(
      [({ first }) => first.startsWith("ack k/2"), "k/2 was acknowledged, although its apply had failed."],
      [({ helloHas }) => helloHas === "k/2", "The hello names k/2, although its apply had failed."],
      [
        ({ again }) => again.includes("ignored"),
        "k/2 was ignored when it came again, although its first apply had failed.",
      ],
    ),
    lookAt: lookAtApply,
    hint: 1,
  });
});

test("a refused table is answered with a nack and its reasons", async () => {
  await check({
    sent: "k/1; then k/2 with an invalid table; then k/3 with two faults",
    expected: [
      "nack k/2 (defaultPlacement: missing), refused",
      "nack k/3 (routingTable.acme: no such placement; version: missing), refused",
    ],
    got: async () => {
      const two: Validated = {
        ok: false,
        faults: ["routingTable.acme: no such placement", "version: missing"],
      };
      const { send } = router({ finds: [good, invalid, two] });
      await send("k/1");
      return [words(await send("k/2")), words(await send("k/3"))];
    },
    likely: ifGot(
      [
        (got) => got.some((reply) => reply.startsWith("the link ends")),
        "The table was bad, but the whole link was ended for it.",
      ],
      [(got) => got.some((reply) => reply.startsWith("ack")), "A refused table was acknowledged."],
      [
        (got) => got[1]?.includes("version: missing") === false,
        "k/3 has two faults, but the nack doesn't name both.",
      ],
    ),
    lookAt: lookAtNack,
    hint: 2,
  });
});

test("a refused table changes nothing, and the next one is taken", async () => {
  await check({
    sent: "k/1; k/2 with an invalid table; k/3",
    expected: { helloAfter2: "k/1", reply3: "ack k/3, applied, up to date", applied: ["k/1", "k/3"] },
    got: async () => {
      const { send, applied, helloHas } = router({ finds: [good, invalid, good] });
      await send("k/1");
      await send("k/2");
      const helloAfter2 = helloHas();
      return { helloAfter2, reply3: words(await send("k/3")), applied };
    },
    likely: ifGot(
      [({ applied }) => applied.includes("k/2"), "The invalid table was applied."],
      [({ helloAfter2 }) => helloAfter2 === "k/2", "After the refusal, the hello names the refused table."],
      [
        ({ helloAfter2 }) => helloAfter2 === "nothing",
        "After the refusal, the hello names nothing, although k/1 had been applied.",
      ],
      [({ applied }) => !applied.includes("k/3"), "The table after the refused one was not applied."],
    ),
    lookAt: lookAtNack,
    hint: 2,
  });
});

test("a refused first table leaves the router with nothing", async () => {
  await check({
    sent: "k/1 with an invalid table, to a router that has nothing; then hello",
    expected: { reply: "nack k/1 (defaultPlacement: missing), refused", helloHas: "nothing" },
    got: async () => {
      const { send, helloHas } = router({ finds: [invalid] });
      return { reply: words(await send("k/1")), helloHas: helloHas() };
    },
    likely: ifGot(
      [({ helloHas }) => helloHas === "k/1", "The hello names the refused table."],
      [
        ({ reply }) => reply.startsWith("the link ends"),
        "The table was bad, but the whole link was ended for it.",
      ],
      [({ reply }) => reply.startsWith("ack"), "A refused table was acknowledged."],
    ),
    lookAt: lookAtNack,
    hint: 2,
  });
});

test("a nack with five thousand faults can be read by the control plane", async () => {
  await check({
    sent: "k/1 with 5,000 faults in its table; the reply, as the control plane decodes it",
    expected: "nack k/1",
    got: async () => {
      const faults = Array.from(
        { length: 5_000 },
        (_, line) => `routingTable.tenant-${line}: no such placement`,
      );
      const received = await router({ finds: [{ ok: false, faults }] }).send("k/1");
      if (received.kind !== "reply") return words(received);
      const decoded = decodeFromRouter(new TextEncoder().encode(encode(received.reply)));
      if (!decoded.ok) return `the control plane does not understand: ${decoded.fault}`;
      return decoded.message.type === "nack" ? `nack ${nameOf(decoded.message)}` : decoded.message.type;
    },
    likely: ifGot(
      [(got) => got.startsWith("the link ends"), "The table was bad, but the whole link was ended for it."],
      [
        (got) => got.startsWith("the control plane does not understand"),
        "The reply breaks a rule of the protocol, which the control plane names here.",
      ],
      [(got) => got === "ack", "A refused table was acknowledged."],
    ),
    lookAt: lookAtNack,
    hint: 2,
  });
});

test("a late snapshot is answered with what the router runs", async () => {
  await check({
    sent: "k/5, then the late k/3",
    expected: { reply: "ack k/5, ignored", applied: ["k/5"] },
    got: async () => {
      const { send, applied } = router();
      await send("k/5");
      return { reply: words(await send("k/3")), applied };
    },
    likely: ifGot(
      [({ applied }) => applied.includes("k/3"), "The late table was applied after the newer one."],
      [({ reply }) => reply.startsWith("ack k/3"), "The ack names what came, but the router runs k/5."],
      [({ reply }) => reply.startsWith("nack"), "The late table was refused as if it had a fault."],
      [({ reply }) => reply.startsWith("the link ends"), "A late message ended the link."],
    ),
    lookAt: lookAtIgnore,
    hint: 3,
  });
});

test("a late snapshot of an epoch that the link has left is not applied", async () => {
  await check({
    sent: "k/5, then m/1, then the late k/6, all on one link; what was applied",
    expected: ["k/5", "m/1"],
    got: async () => {
      const { send, applied } = router();
      for (const name of ["k/5", "m/1", "k/6"] as const) await send(name);
      return applied;
    },
    likely: ifGot(
      [
        (got) => got.includes("k/6"),
        "k/6 was applied after m/1: the router went back to an epoch that this link had left.",
      ],
      [(got) => !got.includes("m/1"), "The table of the new epoch was not applied."],
    ),
    lookAt: lookAtApply,
  });
});

test("a late snapshot of an epoch that the link has left is answered with what the router runs", async () => {
  await check({
    sent: "k/5, then m/1, then the late k/6, all on one link",
    expected: { reply: "ack m/1, ignored", applied: ["k/5", "m/1"] },
    got: async () => {
      const { send, applied } = router();
      await send("k/5");
      await send("m/1");
      return { reply: words(await send("k/6")), applied };
    },
    likely: ifGot(
      [
        ({ applied }) => applied.includes("k/6"),
        "k/6 was applied after m/1: the router went back to an epoch that this link had left.",
      ],
      [
        ({ reply }) => reply.startsWith("ack k/"),
        "The ack names a position of the epoch k, but the router runs m/1.",
      ],
      [({ reply }) => reply.startsWith("nack"), "The late table was refused as if it had a fault."],
      [({ reply }) => reply.startsWith("the link ends"), "A late message ended the link."],
    ),
    lookAt: lookAtIgnore,
    hint: 3,
  });
});

test("a snapshot that was overtaken while it was validated is answered with what the router runs", async () => {
  await check({
    sent: "k/1; then k/2, and while its table is validated, k/3 comes over another link; then hello",
    expected: '{ reply: "ack k/3, ignored", applied: ["k/1", "k/3"], helloHas: "k/3" }',
    got: async () => {
      const gate = Promise.withResolvers<Validated>();
      const { send, newLink, applied, helloHas } = router({ finds: [good, gate.promise, good] });
      await send("k/1");
      const late = send("k/2");
      const newer = send("k/3", newLink());
      await settled();
      gate.resolve(good);
      await newer;
      return { reply: words(await late), applied, helloHas: helloHas() };
    },
    // Whoever takes the messages one after the other has applied k/2 first, and that is as good.
    accept: ({ reply, applied, helloHas }) =>
      helloHas === "k/3" &&
      ["ack k/3, ignored: k/1 k/3", "ack k/2, applied, up to date: k/1 k/2 k/3"].includes(
        `${reply}: ${applied.join(" ")}`,
      ),
    likely: ifGot(
      [({ applied }) => applied.join() === "k/1,k/3,k/2", "k/2 was applied after k/3: the router went back."],
      [
        ({ helloHas, reply }) => helloHas === "k/3" && reply === "ack k/2, ignored",
        "The ack names k/2, but the router runs k/3.",
      ],
      [
        ({ applied, reply }) => !applied.includes("k/2") && reply.startsWith("nack"),
        "k/2 was refused as if its table had a fault.",
      ],
    ),
    lookAt: "snapshot-receiver.ts, after the validation in #onSnapshot",
    hint: 3,
  });
});

test("a repeated snapshot is acknowledged again, and not applied again", async () => {
  await check({
    sent: "k/5 twice",
    expected: { reply: "ack k/5, ignored, up to date", applied: ["k/5"] },
    got: async () => {
      const { send, applied } = router();
      await send("k/5");
      return { reply: words(await send("k/5")), applied };
    },
    likely: ifGot(
      [({ applied }) => applied.length > 1, "The same table was applied twice."],
      [({ reply }) => !reply.startsWith("ack k/5"), "The router runs k/5, but this reply doesn't say so."],
      [
        ({ reply }) => !reply.includes("up to date"),
        "The router runs k/5, but the reply doesn't call it up to date.",
      ],
    ),
    lookAt: lookAtIgnore,
  });
});

test("a snapshot whose link closed while it was validated is void", async () => {
  await check({
    sent: "k/1; k/2, and the link closes while its table is validated; k/1 again on the closed link",
    expected: { replies: ["void", "void"], applied: ["k/1"], helloHas: "k/1" },
    got: async () => {
      const gate = Promise.withResolvers<Validated>();
      const { send, link, applied, helloHas } = router({ finds: [good, gate.promise, good] });
      await send("k/1");
      const reply = send("k/2");
      link.open = false;
      gate.resolve(good);
      return { replies: [words(await reply), words(await send("k/1"))], applied, helloHas: helloHas() };
    },
    likely: ifGot(
      [({ applied }) => applied.includes("k/2"), "The table was applied after its link had closed."],
      [
        ({ replies }) => replies.some((reply) => reply !== "void"),
        "A reply was made for a link that had closed.",
      ],
      [({ helloHas }) => helloHas !== "k/1", "The next hello does not name the table that the router runs."],
    ),
    lookAt: "snapshot-receiver.ts, after the validation in #onSnapshot",
  });
});

test("each reply has words for the log", async () => {
  await check({
    sent: "k/2; k/1, which is late; k/3 with an invalid table; the length of `words` in each result",
    expected: "three numbers above 0",
    got: async () => {
      const { send } = router({ finds: [good, invalid] });
      const results = [await send("k/2"), await send("k/1"), await send("k/3")];
      return results.map((received) => (received.kind === "reply" ? received.words.length : received.kind));
    },
    accept: (lengths) => lengths.every((length) => typeof length === "number" && length > 0),
    likely: ifGot(
      [(got) => got.includes(0), "One of the replies has no words."],
      [(got) => got.some((length) => typeof length === "string"), "One of the three messages got no reply."],
    ),
    lookAt,
  });
});
