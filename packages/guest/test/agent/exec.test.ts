import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { AgentProcess } from "../support/agent-process.ts";

test("the two outputs are apart and the exit code is exact", async () => {
  await using agent = await AgentProcess.ready();
  expect(await agent.run(["sh", "-c", "printf out; printf err >&2; exit 42"])).toEqual({
    out: "out",
    err: "err",
    exitCode: 42,
    signal: 0,
  });
  expect(await agent.run(["sh", "-c", "exit 255"])).toMatchObject({ exitCode: 255 });
  expect(await agent.run(["true"])).toMatchObject({ exitCode: 0, out: "", err: "" });
});

test("a signal that ends a command is told", async () => {
  await using agent = await AgentProcess.ready();
  expect(await agent.run(["sh", "-c", "kill -9 $$"])).toMatchObject({ exitCode: 137, signal: 9 });
});

test("input arrives byte for byte and ends with end of file", async () => {
  await using agent = await AgentProcess.ready();
  const id = agent.exec(["cat"]);
  const sent = Buffer.from(
    Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 7 + (i >> 8)) & 255),
  );
  await sendInput(agent, id, sent);
  agent.send({ type: "eof", streamId: id });
  expect(await agent.result(id)).toMatchObject({ exitCode: 0 });
  expect(agent.bytesOf(id, "out").equals(sent)).toBe(true);
});

test("input that waits for a slow reader arrives in its order", async () => {
  await using agent = await AgentProcess.ready();
  const id = agent.exec(["sh", "-c", "sleep 0.1; exec dd bs=5000 status=none"]);
  const sent = Buffer.from(
    Uint8Array.from({ length: 700_000 }, (_, i) => (i * 7 + (i >> 8)) & 255),
  );
  await sendInput(agent, id, sent);
  agent.send({ type: "eof", streamId: id });
  expect(await agent.result(id)).toMatchObject({ exitCode: 0 });
  expect(agent.bytesOf(id, "out").equals(sent)).toBe(true);
});

test.each([
  ["a program that is not there", ["nope"], {}, "not-found", 2],
  ["a path that is not there", ["/nope/x"], {}, "not-found", 2],
  ["an empty name", [""], {}, "not-found", 2],
  ["a file without the right to run", ["/etc/passwd"], {}, "not-executable", 13],
  ["a folder", ["/etc"], {}, "not-executable", 13],
  [
    "a folder that is not there to work in",
    ["true"],
    { workingDirectory: "/nope" },
    "no-such-cwd",
    2,
  ],
  ["a file to work in", ["true"], { workingDirectory: "/etc/passwd" }, "no-such-cwd", 20],
])("%s is told before anything runs", async (_, command, change, failure, errno) => {
  await using agent = await AgentProcess.ready();
  const result = await agent.run(command, change);
  expect(result).toMatchObject({ failure, errno });
  expect(agent.messages.map(({ type }) => type)).not.toContain("started");
});

// As an ordinary user the agent of a test becomes nobody else.
test.skipIf(process.getuid?.() !== 0)(
  "a command is in all the groups that it is given",
  async () => {
    await using agent = await AgentProcess.ready();
    const groups = Array.from({ length: 300 }, (_, index) => 70_000 + index);
    const { out } = await agent.run(["id", "-G"], { groups });
    expect(out.trim().split(" ")).toEqual(["0", ...groups.map(String)]);
  },
);

test("a script whose interpreter is not there is told from a missing program", async () => {
  await using agent = await AgentProcess.ready();
  const path = join(agent.folder, "script");
  writeFileSync(path, "#!/nope\n", { mode: 0o755 });
  const result = await agent.run([path]);
  expect(result).toMatchObject({
    failure: "not-found",
    message: `the interpreter of ${path} is not there`,
  });
  writeFileSync(join(agent.folder, "text"), "no program", { mode: 0o755 });
  expect(await agent.run([join(agent.folder, "text")])).toMatchObject({
    failure: "not-executable",
    errno: 8,
  });
});

test("the program is looked up in the PATH that it is given", async () => {
  await using agent = await AgentProcess.ready();
  mkdirSync(join(agent.folder, "bin"));
  writeFileSync(join(agent.folder, "bin/hello"), "#!/bin/sh\necho $0 $1\n", { mode: 0o755 });
  const environment = [`PATH=/nope:${agent.folder}/bin:/bin`];
  expect((await agent.run(["hello", "x y"], { environment })).out).toBe(
    `${agent.folder}/bin/hello x y\n`,
  );
  expect(await agent.run(["hello"])).toMatchObject({ failure: "not-found" });
  expect((await agent.run(["env"], { environment: ["A=1", "B=2 3"] })).out).toBe("A=1\nB=2 3\n");
});

test("a file that may not be run is passed over for a later one, and told when there is none", async () => {
  await using agent = await AgentProcess.ready();
  const at = (name: string) => join(agent.folder, name);
  for (const [folder, mode] of [
    ["a", 0o644],
    ["b", 0o755],
  ] as const) {
    mkdirSync(at(folder));
    writeFileSync(join(at(folder), "hello"), "#!/bin/sh\necho $0\n", { mode });
  }
  const run = (path: string) => agent.run(["hello"], { environment: [`PATH=${path}`] });
  expect((await run(`/nope:${at("a")}:${at("b")}`)).out).toBe(`${at("b")}/hello\n`);
  expect(await run(`/nope:${at("a")}:/nope`)).toMatchObject({
    failure: "not-executable",
    errno: 13,
    message: `cannot execute ${at("a")}/hello: Permission denied`,
  });
});

test("a signal goes to the whole process group", async () => {
  await using agent = await AgentProcess.ready();
  const id = agent.exec(["sh", "-c", "sh -c 'echo in; sleep 60' & echo out; wait"]);
  await agent.until(() => agent.bytesOf(id, "out").length === 7);
  agent.send({ type: "signal", streamId: id, signal: 15 });
  const began = Date.now();
  expect(await agent.result(id)).toMatchObject({ exitCode: 143, signal: 15 });
  expect(Date.now() - began).toBeLessThan(20_000);
});

test("a child that lives on holds up neither the exit nor the ends", async () => {
  await using agent = await AgentProcess.ready();
  const result = await agent.run(["sh", "-c", "sleep 300 & echo $!"]);
  expect(result).toMatchObject({ exitCode: 0 });
  process.kill(Number(result.out), "SIGKILL");
});

test("a child that writes on and on does not hold up the ends either", async () => {
  await using agent = await AgentProcess.ready();
  const result = await agent.run(["sh", "-c", "yes & sleep 0.1"]);
  expect(result).toMatchObject({ exitCode: 0 });
});

test("cancelling ends a command by SIGKILL", async () => {
  await using agent = await AgentProcess.ready();
  const id = agent.exec(["sh", "-c", "trap '' TERM; echo x; sleep 60"]);
  await agent.until(({ type }) => type === "out");
  agent.send({ type: "cancel", streamId: id });
  expect(await agent.result(id)).toMatchObject({ exitCode: 137, signal: 9 });
});

/** Sends as the credit allows. */
async function sendInput(agent: AgentProcess, streamId: number, bytes: Buffer): Promise<void> {
  let sent = 0;
  const granted = () =>
    agent.messages.reduce(
      (sum, message) =>
        message.type === "credit" && message.streamId === streamId ? sum + message.bytes : sum,
      65536,
    );
  while (sent < bytes.length) {
    await agent.until(() => granted() > sent);
    const part = bytes.subarray(sent, Math.min(granted(), sent + 65536));
    agent.send({ type: "data", streamId, bytes: part });
    sent += part.length;
  }
}
