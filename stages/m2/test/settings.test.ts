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

  test("takes the routing table beside the stage and the admin port 8082 unless told otherwise", () => {
    const { ROUTING_FILE, ADMIN_PORT } = readSettings({});
    expect(ROUTING_FILE).toMatch(/routing\.json$/);
    expect(ROUTING_FILE).not.toContain("src");
    expect(ADMIN_PORT).toBe(8082);
  });

  test.each([{ ROUTING_FILE: "" }, { ADMIN_PORT: "-1" }, { ADMIN_PORT: "http" }])(
    "refuses %o",
    (environment) => {
      expect(() => readSettings(environment)).toThrow(SettingsError);
    },
  );
});
