import type { LookupAddress } from "node:dns";
import type { LookupFunction } from "node:net";
import { describe, expect, test } from "vitest";
import { guardLookup } from "../../src/transport/guard-lookup.ts";
import { isWithin, type NetworkZone, zoneOfAddress } from "../../src/transport/network-zone.ts";

describe("the zone of an address", () => {
  test.each<[NetworkZone, readonly string[]]>([
    ["loopback", ["127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "::1", "::"]],
    ["loopback", ["::ffff:127.0.0.1", "::ffff:7f00:1", "::127.0.0.1", "::ffff:0.0.0.0"]],
    ["loopback", ["::ffff:0:127.0.0.1", "::ffff:0:7f00:1", "2001::1", "2001:0:4136:e378::1"]],
    ["loopback", ["64:ff9b::127.0.0.1", "2002:7f00:1::1", "not an address", ""]],
    ["link-local", ["169.254.169.254", "fe80::1", "febf::1", "fe80::1%eth0"]],
    ["link-local", ["::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1"]],
    ["private", ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.100.100.200"]],
    ["private", ["192.0.0.192", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"]],
    ["private", ["fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "64:ff9b:1::1"]],
    ["private", ["::ffff:10.0.0.1", "::10.0.0.1", "64:ff9b::10.0.0.1", "2002:c0a8:101::1"]],
    ["public", ["1.1.1.1", "126.255.255.255", "128.0.0.1", "172.32.0.1", "100.128.0.1"]],
    ["public", ["169.253.0.1", "192.169.0.1", "198.20.0.1", "223.255.255.255", "11.0.0.1"]],
    ["private", ["::ffff:0:10.0.0.1", "::ffff:0:c0a8:101"]],
    ["public", ["2001:4860:4860::8888", "::ffff:0:1.1.1.1"]],
    ["public", ["2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2002:101:101::1"]],
  ])("%s: %j", (zone, addresses) => {
    for (const address of addresses)
      expect([address, zoneOfAddress(address)]).toEqual([address, zone]);
  });

  test("is within those further in, and within itself", () => {
    const zones = ["public", "private", "link-local", "loopback"] as const;
    for (const [at, zone] of zones.entries()) {
      expect(zones.map((limit) => isWithin(zone, limit))).toEqual(zones.map((_, to) => at <= to));
    }
  });
});

describe("a guarded lookup", () => {
  const both: LookupAddress[] = [
    { address: "127.0.0.1", family: 4 },
    { address: "2606:4700::1111", family: 6 },
    { address: "10.0.0.1", family: 4 },
  ];

  function ask(lookup: LookupFunction, limit: NetworkZone, all: boolean): Promise<unknown> {
    return new Promise((done) => {
      guardLookup(lookup, limit)("a.test", { all }, (error, ...found) => done(error ?? found));
    });
  }

  const finds =
    (found: LookupAddress[]): LookupFunction =>
    (_hostname, _options, callback) =>
      callback(null, found);

  test("leaves out what is too far in", async () => {
    expect(await ask(finds(both), "public", true)).toEqual([[both[1]]]);
    expect(await ask(finds(both), "private", true)).toEqual([[both[1], both[2]]]);
    expect(await ask(finds(both), "loopback", true)).toEqual([both]);
    expect(await ask(finds(both), "public", false)).toEqual(["2606:4700::1111", 6]);
  });

  test("takes one address too", async () => {
    const one: LookupFunction = (_hostname, _options, callback) => callback(null, "10.0.0.1", 4);
    expect(await ask(one, "private", true)).toEqual([[both[2]]]);
    const bare: LookupFunction = (_hostname, _options, callback) => callback(null, "10.0.0.1");
    expect(await ask(bare, "private", true)).toEqual([[both[2]]]);
    expect(await ask(one, "public", false)).toMatchObject({ code: "ORAS_REALM_REFUSED" });
  });

  test("fails when nothing is left, and as the lookup fails", async () => {
    const inside = finds([{ address: "127.0.0.1", family: 4 }]);
    expect(await ask(inside, "link-local", true)).toMatchObject({
      code: "ORAS_REALM_REFUSED",
      details: { host: "a.test", address: "127.0.0.1" },
    });
    expect(await ask(finds([]), "public", true)).toMatchObject({ code: "ORAS_REALM_REFUSED" });
    const failing: LookupFunction = (_hostname, _options, callback) =>
      callback(Object.assign(new Error("no such name"), { code: "ENOTFOUND" }), "");
    expect(await ask(failing, "public", true)).toMatchObject({ code: "ENOTFOUND" });
  });
});
