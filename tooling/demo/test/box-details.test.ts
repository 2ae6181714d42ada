import { describe, expect, test } from "vitest";
import { parseBoxDetails } from "../src/box-details.ts";

const disks = { guest: { path: "/g.qcow2", role: "guest" }, user: { path: "/u.qcow2" } };

describe("parseBoxDetails", () => {
  test("takes the paths of both disks, and no quarantine from events without one", () => {
    const history = [{ type: "overlay", name: "overlay.created" }, { type: "info" }];
    expect(parseBoxDetails(JSON.stringify({ name: "hello", disks, history }))).toEqual({
      guestDisk: "/g.qcow2",
      userDisk: "/u.qcow2",
      quarantinedPaths: [],
    });
  });

  test("takes where damaged disks were put aside, oldest first", () => {
    const history = [
      { type: "overlay", quarantinedPath: "/q/1" },
      { type: "overlay", quarantinedPath: "/q/2" },
    ];
    expect(parseBoxDetails(JSON.stringify({ disks, history })).quarantinedPaths).toEqual([
      "/q/1",
      "/q/2",
    ]);
  });

  test("refuses a box without a disk for its system", () => {
    const json = JSON.stringify({ disks: { user: disks.user }, history: [] });
    expect(() => parseBoxDetails(json)).toThrow("guest");
  });
});
