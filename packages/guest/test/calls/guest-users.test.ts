import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CallBatch, readUserFiles, resolveUser } from "@box/guest/calls";
import { expect, test } from "vitest";
import { openCalls } from "../support/agent-calls.ts";
import { AgentProcess } from "../support/agent-process.ts";

const files = {
  passwd: `root:x:0:0:root:/root:/bin/sh
short:x:5
odd:x:no:0::/odd:
bad:x:6:no::/bad:
me:x:1000:1001::/home/me:/bin/sh
me:x:2000:2001::/home/other:/bin/sh
homeless:x:1002:1002::relative:
`,
  group: `root:x:0:
me:x:1001:
video:x:44:you,me
audio:x:45:me
wheel:x:10:root
odd:x:no:me
`,
};

test.each([
  ["", [], { uid: 0, gid: 0, groups: [10], home: "/root" }],
  ["root", [], { uid: 0, gid: 0, groups: [10], home: "/root" }],
  ["me", [], { uid: 1000, gid: 1001, groups: [44, 45], home: "/home/me" }],
  ["1000", [], { uid: 1000, gid: 1001, groups: [44, 45], home: "/home/me" }],
  ["1000:video", [], { uid: 1000, gid: 44, groups: [], home: "/home/me" }],
  ["me:", [], { uid: 1000, gid: 1001, groups: [44, 45], home: "/home/me" }],
  ["7:8", ["me", "9"], { uid: 7, gid: 8, groups: [1001, 9], home: "/" }],
  ["7", ["audio"], { uid: 7, gid: 0, groups: [45], home: "/" }],
  [":audio", [], { uid: 0, gid: 45, groups: [], home: "/root" }],
  ["homeless", [], { uid: 1002, gid: 1002, groups: [], home: "/" }],
])("the user %j with the groups %j is one", (user, groups, expected) => {
  expect(resolveUser(files, user, groups)).toEqual(expected);
});

test.each([
  ["nope", []],
  ["root:nope", []],
  ["me", ["nope"]],
  ["4294967295", []],
  ["-1", []],
  ["short", []],
  ["odd", []],
  ["bad", []],
  ["x".repeat(256), []],
])("the user %j with the groups %j is none", (user, groups) => {
  expect(() => resolveUser(files, user, groups)).toThrow(
    expect.objectContaining({ failure: "no-such-user", errno: 0 }),
  );
});

test("a box without files of users has root and numbers", () => {
  const none = { passwd: "", group: "" };
  expect(resolveUser(none, "")).toEqual({ uid: 0, gid: 0, groups: [], home: "/" });
  expect(resolveUser(none, "5:6")).toEqual({ uid: 5, gid: 6, groups: [], home: "/" });
});

test.skipIf(process.getuid?.() !== 0)("files of any length are read", async () => {
  await using agent = await AgentProcess.ready();
  const root = join(agent.folder, "root");
  mkdirSync(join(root, "etc"), { recursive: true });
  const lines = Array.from({ length: 6000 }, (_, index) => `u${index}:x:${index + 9}:7::/h/ä:\n`);
  writeFileSync(join(root, "etc/passwd"), lines.join(""));
  const { caller } = openCalls(agent);
  const entering = new CallBatch();
  entering.call("chroot", [entering.text(root)]);
  await caller.run(entering);
  expect(resolveUser(await readUserFiles(caller), "u5999")).toEqual({
    uid: 6008,
    gid: 7,
    groups: [],
    home: "/h/ä",
  });
});
