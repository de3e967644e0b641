// What may stand in the environment.

import { describe, expect, test } from "vitest";
import { readEtcdSettings } from "../settings.ts";

describe("settings", () => {
  test("take several endpoints, each once", () => {
    const { ETCD_ENDPOINTS } = readEtcdSettings({ ETCD_ENDPOINTS: "http://a:1, http://b:2/,http://a:1" });
    expect(ETCD_ENDPOINTS).toEqual(["http://a:1", "http://b:2"]);
  });

  test.each([
    { ETCD_ENDPOINTS: "" },
    { ETCD_ENDPOINTS: "http://a:1,b:2" },
    { ETCD_ENDPOINTS: "http://a:1/path" },
    { ETCD_ENDPOINTS: "http://a:1/?x" },
    { ETCD_PREFIX: "" },
    { STORE: "file" },
  ])("that are wrong are named: %j", (environment) => {
    const [[name, value] = []] = Object.entries(environment);
    expect(() => readEtcdSettings(environment)).toThrow(`Cannot start: ${name}="${value}": `);
  });

  test("that hold a password are refused, and the password is not told", () => {
    for (const text of ["http://user:hunter2@a:1", "http://b:2,user:hunter2@a:1"]) {
      const read = () => readEtcdSettings({ ETCD_ENDPOINTS: text });
      expect(read).toThrow(/^Cannot start: ETCD_ENDPOINTS: expected .*no user or password/);
      expect(read).not.toThrow(/hunter2/);
    }
  });
});
