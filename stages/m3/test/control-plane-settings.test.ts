import { describe, expect, test } from "vitest";
import { readControlPlaneSettings } from "../src/control-plane/settings.ts";
import { SettingsError } from "../src/settings.ts";

describe("readControlPlaneSettings", () => {
  test("binds to loopback on port 8081 unless told otherwise", () => {
    expect(readControlPlaneSettings({})).toMatchObject({ HOST: "127.0.0.1", CONTROL_PLANE_PORT: 8081 });
  });

  // Nothing, taken for 0, would be any free port: it would listen where no router looks for it.
  test.each(["", " ", "http", "-1", "80.5", "70000"])("takes %j for no port", (CONTROL_PLANE_PORT) => {
    const read = () => readControlPlaneSettings({ CONTROL_PLANE_PORT });
    expect(read).toThrow(SettingsError);
    expect(read).toThrow(/CONTROL_PLANE_PORT/);
  });

  test("refuses a short token, and does not repeat it", () => {
    const read = () => readControlPlaneSettings({ CONTROL_PLANE_TOKEN: "abc-def" });
    expect(read).toThrow(/CONTROL_PLANE_TOKEN/);
    expect(read).not.toThrow(/abc-def/);
  });
});
