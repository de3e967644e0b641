import { describe, expect, test } from "vitest";
import { Fleet, type FleetDependencies } from "../src/control-plane/fleet.ts";
import type { Published } from "../src/control-plane/router-link.ts";
import { encodeSnapshot, type Position, type RouterMessage } from "../src/protocol.ts";

const checksum = "a".repeat(64);
const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

function published(revision: number, size = 100, epoch = "one"): Published {
  const history = { epoch, revision, checksum, formerEpochs: [] };
  return { history, frame: encodeSnapshot(history, "x".repeat(size)) };
}

/** A fleet, and routers whose answers a test gives. */
function openFleet(first: Published, more: Partial<FleetDependencies> = {}) {
  const lost: Position[] = [];
  const fleet = new Fleet(first, 0, { onLostHistory: (have) => lost.push(have), onNack: () => {}, ...more });
  const connect = (routerId: string, have: Position | null = null, nowMs = 0) => {
    const got: number[] = [];
    const said: string[] = [];
    const closed: string[] = [];
    const pending: { readonly sent: () => void; readonly stalled: () => void }[] = [];
    const link = fleet.connect({
      say: (text) => said.push(text),
      send: (frame, sent, stalled) => {
        const head = new TextDecoder().decode(frame).split("\n")[0] ?? "";
        got.push(JSON.parse(head).revision);
        pending.push({ sent, stalled });
      },
      close: (code, reason) => closed.push(`${code} ${reason}`),
    });
    const say = (message: RouterMessage, atMs = nowMs) => fleet.receive(link, bytes(message), atMs);
    say({ type: "hello", protocol: 1, routerId, have });
    const ack = (revision: number, atMs = nowMs) => say({ type: "ack", epoch: "one", revision }, atMs);
    const leave = (atMs = nowMs) => fleet.disconnect(link, atMs);
    /** The bytes of the oldest unfinished snapshot have left. */
    const flush = () => pending.shift()?.sent();
    const stall = () => pending[0]?.stalled();
    return { got, said, closed, say, ack, leave, flush, stall };
  };
  return { fleet, lost, connect };
}

describe("Fleet", () => {
  test("sends a new router the newest snapshot, and one that has it nothing but the word", () => {
    const { connect } = openFleet(published(3));
    expect(connect("new").got).toEqual([3]);
    const upToDate = connect("known", { epoch: "one", revision: 3, checksum });
    expect(upToDate.got).toEqual([]);
    expect(JSON.parse(upToDate.said[0] ?? "")).toEqual({
      type: "current",
      epoch: "one",
      revision: 3,
      checksum,
    });
  });

  test("sends the next snapshot when the last one is answered, and then the newest", () => {
    const { fleet, connect } = openFleet(published(1));
    const router = connect("slow");
    router.flush();
    for (const revision of [2, 3, 4]) fleet.publish(published(revision), 0);
    expect(router.got).toEqual([1]);
    router.ack(1);
    expect(router.got).toEqual([1, 4]);
    router.flush();
    router.ack(4);
    expect(router.got).toEqual([1, 4]);
  });

  test("an ack of what came before does not let a second snapshot into one that is leaving", () => {
    const { fleet, connect } = openFleet(published(1));
    const router = connect("current", { epoch: "one", revision: 1, checksum });
    // The answer to "current" is still on its way when the next snapshot begins to leave, and another is published.
    fleet.publish(published(2), 0);
    expect(router.got).toEqual([2]);
    router.ack(1);
    fleet.publish(published(3), 0);
    expect(router.got).toEqual([2]);
    router.flush();
    expect(router.got).toEqual([2]);
    router.ack(2);
    expect(router.got).toEqual([2, 3]);
  });

  test.each(["ack", "nack"] as const)("an early %s counts when the snapshot has left", (type) => {
    const { fleet, connect } = openFleet(published(1));
    const router = connect("hasty");
    router.say({ type, epoch: "one", revision: 1, reasons: ["no"] } as RouterMessage);
    fleet.publish(published(2), 0);
    expect(router.got).toEqual([1]);
    router.flush();
    expect(router.got).toEqual([1, 2]);
  });

  test("whatever is acknowledged, and however often, at most one snapshot is unanswered", () => {
    const { fleet, connect } = openFleet(published(5));
    const router = connect("liar");
    router.flush();
    for (const revision of [1, 4]) router.ack(revision);
    router.say({ type: "ack", epoch: "another", revision: 5 });
    router.say({ type: "nack", epoch: "one", revision: 4, reasons: ["no"] });
    fleet.publish(published(6), 0);
    expect(router.got).toEqual([5]);
    // A router that holds a later revision answers with that.
    router.ack(7);
    expect(router.got).toEqual([5, 6]);
  });

  test("does not send again what was refused, but the next revision", () => {
    const { fleet, connect } = openFleet(published(1));
    const router = connect("picky");
    router.flush();
    router.say({ type: "nack", epoch: "one", revision: 1, reasons: ["no"] });
    expect(router.got).toEqual([1]);
    fleet.publish(published(2), 0);
    expect(router.got).toEqual([1, 2]);
    expect(fleet.view(0)[0]).toMatchObject({ revision: null, lastNack: { revision: 1, reasons: ["no"] } });
  });

  test("bounds the bytes on their way, and sends those who waited the newest", () => {
    const { fleet, connect } = openFleet(published(1, 400), { maxBytesInFlight: 1_000 });
    const routers = ["a", "b", "c", "d", "e"].map((id) => connect(id));
    const got = () => routers.map((router) => router.got);
    expect(got()).toEqual([[1], [1], [], [], []]);
    fleet.publish(published(2, 400), 0);
    routers[0]?.flush();
    expect(got()).toEqual([[1], [1], [2], [], []]);
    // One that leaves while it waits takes nobody's turn.
    routers[3]?.leave();
    routers[1]?.flush();
    expect(got()).toEqual([[1], [1], [2], [], [2]]);
    routers[0]?.ack(1);
    expect(got()).toEqual([[1], [1], [2], [], [2]]);
    // One that stalls lets others go, and lets them go once.
    routers[2]?.stall();
    expect(got()).toEqual([[1, 2], [1], [2], [], [2]]);
    routers[1]?.ack(1);
    routers[2]?.flush();
    expect(got()).toEqual([[1, 2], [1], [2], [], [2]]);
    routers[4]?.flush();
    expect(got()).toEqual([[1, 2], [1, 2], [2], [], [2]]);
  });

  test("a router that has what the store cannot account for is proof of a lost history", () => {
    const { lost, connect } = openFleet(published(5));
    const ahead = { epoch: "one", revision: 6, checksum };
    const forked = { epoch: "one", revision: 5, checksum: "b".repeat(64) };
    const stranger = { epoch: "two", revision: 1, checksum };
    for (const have of [ahead, forked, stranger]) expect(connect("r", have).got).toEqual([]);
    expect(lost).toEqual([ahead, forked, stranger]);
    expect(connect("r", { epoch: "one", revision: 4, checksum }).got).toEqual([5]);
    expect(lost).toHaveLength(3);
  });

  test("knows how long a router lags behind, whatever is published meanwhile", () => {
    const { fleet, connect } = openFleet(published(1));
    const router = connect("r");
    router.ack(1, 1_000);
    expect(fleet.view(5_000)[0]).toMatchObject({ revision: 1, lagSeconds: 0 });
    fleet.publish(published(2), 10_000);
    fleet.publish(published(3), 20_000);
    expect(fleet.view(30_000)[0]).toMatchObject({ revision: 1, lagSeconds: 20 });
    router.ack(2, 31_000);
    expect(fleet.view(32_000)[0]).toMatchObject({ revision: 2, lagSeconds: 22 });
    router.ack(3, 33_000);
    expect(fleet.view(34_000)[0]).toMatchObject({ revision: 3, lagSeconds: 0, seenSecondsAgo: 1 });
  });

  test("remembers a router that is away, but not without end", () => {
    const { fleet, connect } = openFleet(published(1), { maxRemembered: 3 });
    for (let index = 0; index < 10; index++) connect(`r${index}`, null, index).leave(index);
    expect(fleet.view(10).map(({ id }) => id)).toEqual(["r7", "r8", "r9"]);
    const [first, second] = [connect("twin"), connect("twin")];
    expect(fleet.view(10).find(({ id }) => id === "twin")).toMatchObject({ connected: true, connections: 2 });
    first.leave(10);
    expect(fleet.view(10).find(({ id }) => id === "twin")).toMatchObject({ connected: true, connections: 1 });
    second.leave(10);
    expect(fleet.view(10).find(({ id }) => id === "twin")).toMatchObject({ connected: false });
  });
});
