import { describe, expect, test } from "vitest";
import { readSettings, SettingsError } from "../src/settings.ts";

describe("readSettings", () => {
  test("binds to loopback on port 8080 unless told otherwise", () => {
    expect(readSettings({})).toMatchObject({ HOST: "127.0.0.1", PORT: 8080, LOG_LEVEL: "info" });
  });

  test("names every fault with the value that it got", () => {
    const read = () => readSettings({ PORT: "70000", LOG_LEVEL: "loud" });
    expect(read).toThrow(SettingsError);
    expect(read).toThrow(/PORT="70000"/);
    expect(read).toThrow(/LOG_LEVEL="loud"/);
  });

  test.each(["", " ", "http", "-1", "80.5", "0x50", "1e3"])("takes %j for no port", (PORT) => {
    expect(() => readSettings({ PORT })).toThrow(/PORT=/);
  });

  test("reads the endpoints of cells", () => {
    const { CELLS } = readSettings({ CELLS: "visa=http://127.0.0.1:1, tier1=http://127.0.0.1:2" });
    expect([...CELLS]).toEqual([
      ["visa", "http://127.0.0.1:1"],
      ["tier1", "http://127.0.0.1:2"],
    ]);
  });

  test.each([
    "visa",
    "visa=",
    "visa=https://a:1",
    "=http://a:1",
    "vsia=http://a:1",
    "visa=http://a:1/path",
    "visa=http://u:p@a:1",
    "visa=http://a:99999",
  ])("refuses CELLS=%s", (CELLS) => {
    expect(() => readSettings({ CELLS })).toThrow(SettingsError);
  });

  test("names the cell at fault, and no value that may hold a password", () => {
    const names = "visa, tier1, tier2, tier3";
    const words = `Write each cell as name=http://host:port, where name is one of ${names}; entry 2 is not`;
    const read = (CELLS: string) => () => readSettings({ CELLS });
    expect(read("tier1=http://a:1,vsia=http://b:2")).toThrow(
      new SettingsError(`Cannot start: CELLS="tier1=http://a:1,vsia=http://b:2": ${words}`),
    );
    expect(read("tier1=http://a:1,visa=http://me:pa55word@b:2")).toThrow(
      new SettingsError(`Cannot start: CELLS: ${words}`),
    );
  });
});
