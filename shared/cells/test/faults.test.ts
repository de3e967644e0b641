import { describe, expect, test } from "vitest";
import { FaultSwitch, parseFault } from "../faults.ts";

describe("parseFault", () => {
  test("fills in the documented defaults", () => {
    expect(parseFault({ fault: "error" })).toEqual({
      fault: "error",
      status: 503,
      healthToo: true,
      ratio: 1,
    });
    expect(parseFault({ fault: "slow" })).toEqual({
      fault: "slow",
      delayMs: 1000,
      healthToo: false,
      ratio: 1,
    });
  });

  test.each([
    [{ fault: "on fire" }, /"fault" must be one of none, error.*"on fire"/],
    [{ fault: "__proto__" }, /"fault" must be one of/],
    [{ fault: "error", status: 200 }, /"status" must be a number from 400 to 599; got 200/],
    [{ fault: "slow", delayMs: "1" }, /"delayMs" must be a number from 0 to 86400000; got "1"/],
    [{ fault: "hang", healthToo: "yes" }, /"healthToo"/],
    [null, /JSON object/],
  ])("names what is wrong with %j", (input, message) => {
    expect(() => parseFault(input)).toThrow(message);
  });
});

describe("FaultSwitch", () => {
  const request = { health: false };

  test("spreads a ratio evenly: a half is every second request", () => {
    const faults = new FaultSwitch();
    faults.set(parseFault({ fault: "reset", ratio: 0.5 }), 0);
    const kinds = Array.from({ length: 6 }, () => faults.actionFor(request, 0).kind);
    expect(kinds).toEqual(["respond", "reset", "respond", "reset", "respond", "reset"]);
  });

  test("flaps with the time since it was switched on", () => {
    const faults = new FaultSwitch();
    faults.set(parseFault({ fault: "flap", upMs: 100, downMs: 50 }), 1000);
    const at = (nowMs: number) => faults.actionFor(request, nowMs).kind;
    expect([at(1000), at(1099), at(1100), at(1149), at(1150), at(1250)]).toEqual([
      "respond",
      "respond",
      "error",
      "error",
      "respond",
      "error",
    ]);
  });

  test("keeps /health out of a slow cell unless told otherwise", () => {
    const faults = new FaultSwitch();
    faults.set(parseFault({ fault: "slow" }), 0);
    expect(faults.actionFor({ health: true }, 0).kind).toBe("respond");
    expect(faults.actionFor(request, 0).kind).toBe("slow");
    faults.set(parseFault({ fault: "slow", healthToo: true }), 0);
    expect(faults.actionFor({ health: true }, 0).kind).toBe("slow");
  });
});
