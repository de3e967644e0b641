import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dialledAt } from "../src/endpoint.ts";

describe("dialledAt", () => {
  test.each([
    "http://127.0.0.1:80",
    "http://127.0.0.1",
    "http://127.0.0.1.",
    "http://127.1",
    "http://0x7f000001",
    "http://2130706433",
    "http://0177.0.0.1",
    "http://localhost",
    "http://LocalHost.:80",
    "http://cell.localhost",
    "http://0.0.0.0",
    "http://0",
    "http://[::1]",
    "http://[0:0:0:0:0:0:0:1]:80",
    "http://[::]",
    "http://[::ffff:127.0.0.1]",
    "http://[::FFFF:7F00:1]",
    "http://[::ffff:0.0.0.0]",
  ])("%s is this machine's port 80", (url) => {
    expect(dialledAt(url)).toBe("loopback:80");
  });

  test.each([
    ["http://[::ffff:10.0.0.5]:9001", "http://10.0.0.5:9001"],
    ["http://CELL.example.:80", "http://cell.example"],
    ["http://b\u00fccher.example", "http://xn--bcher-kva.example"],
    ["http://[2001:db8:0:0::1]:9001", "http://[2001:db8::1]:9001"],
  ])("%s and %s are one", (one, other) => {
    expect(dialledAt(one)).toBe(dialledAt(other));
  });

  test.each([
    ["another port", "http://127.0.0.1:9001", "http://127.0.0.1:9002"],
    ["another address of this machine", "http://127.0.0.2:9001", "http://127.0.0.1:9001"],
    ["a name that only ends alike", "http://notlocalhost", "http://localhost"],
    ["two names that DNS may lead to one address", "http://a.example", "http://b.example"],
  ])("tells %s apart", (_, one, other) => {
    expect(dialledAt(one)).not.toBe(dialledAt(other));
  });

  test("property: an IPv4 address is the same in every notation", () => {
    fc.assert(
      fc.property(fc.nat(0xffff_ffff), fc.integer({ min: 1, max: 65_535 }), (address, port) => {
        const bytes = [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff);
        const hosts = [
          bytes.join("."),
          String(address),
          `0x${address.toString(16)}`,
          `[::ffff:${bytes.join(".")}]`,
          `${bytes.join(".")}.`,
        ];
        expect(new Set(hosts.map((host) => dialledAt(`http://${host}:${port}`))).size).toBe(1);
      }),
    );
  });
});
