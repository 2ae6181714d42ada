import { execFileSync } from "node:child_process";
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { CallFailure, readTree, TreeWriter } from "@box/guest/calls";
import { encodeTreeRecord, type TreeRecord, TreeRecordDecoder } from "@box/guest/protocol";
import { describe, expect, test } from "vitest";
import { type AgentCalls, openCalls } from "../support/agent-calls.ts";
import { AgentProcess } from "../support/agent-process.ts";

const none = new Uint8Array(0);
const base = { mode: 0o644, uid: 0, gid: 0, mtimeNs: 1_500_000_000_123_456_789n, linkTarget: none };

function fileRecord(path: string, content: string, mode = 0o644): Buffer {
  const record: TreeRecord = {
    ...base,
    kind: "file",
    mode,
    path: Buffer.from(path),
    sizeBytes: content.length,
  };
  return Buffer.concat([encodeTreeRecord(record), Buffer.from(content)]);
}

function folderRecord(path: string, mode = 0o755): Uint8Array {
  return encodeTreeRecord({
    ...base,
    kind: "directory",
    mode,
    path: Buffer.from(path),
    sizeBytes: 0,
  });
}

function linkRecord(
  path: string,
  target: string,
  kind: TreeRecord["kind"] = "symlink",
): Uint8Array {
  const linkTarget = Buffer.from(target);
  return encodeTreeRecord({
    ...base,
    kind,
    path: Buffer.from(path),
    linkTarget,
    sizeBytes: 0,
  });
}

interface Outcome {
  readonly exitCode?: number;
  readonly failure?: string;
  readonly errno?: number;
  readonly message?: string;
}

/** What carrying files did, as of a command. */
async function outcomeOf(agent: AgentProcess, calls: AgentCalls, done: Promise<unknown>) {
  try {
    await done;
  } catch (error) {
    if (!(error instanceof CallFailure)) throw error;
    const { failure, errno, message } = error;
    return { failure, errno, message } as Outcome;
  } finally {
    calls.end();
  }
  const { exitCode } = await agent.result(calls.streamId);
  return { exitCode } as Outcome;
}

const owners = process.getuid?.() === 0 ? "root" : "own";

async function put(agent: AgentProcess, path: string, ...parts: Uint8Array[]): Promise<Outcome> {
  const calls = openCalls(agent);
  const write = async () => {
    const writer = await TreeWriter.open(calls.caller, { path, owners });
    await writer.write(Buffer.concat(parts));
    await writer.end();
  };
  return outcomeOf(agent, calls, write());
}

async function get(
  agent: AgentProcess,
  path: string,
  flags: { onlyLooks?: boolean; follows?: boolean } = {},
) {
  const calls = openCalls(agent);
  const decoder = new TreeRecordDecoder();
  const files: {
    path: string;
    kind: string;
    mode: number;
    content: string;
    link: string;
    mtimeNs: bigint;
  }[] = [];
  const read = async () => {
    const chunks = await readTree(calls.caller, { path, ...flags });
    for await (const chunk of chunks) {
      for (const event of decoder.push(chunk)) {
        const last = files.at(-1);
        if (event.type === "record") {
          const { kind, mode, mtimeNs, path: bytes, linkTarget } = event.record;
          const link = Buffer.from(linkTarget).toString();
          const name = Buffer.from(bytes).toString();
          files.push({ path: name, kind, mode, content: "", link, mtimeNs });
        } else if (last !== undefined) last.content += Buffer.from(event.bytes).toString();
      }
    }
  };
  const result = await outcomeOf(agent, calls, read());
  return { result, files, isWhole: decoder.isBetweenRecords };
}

describe("PUT", () => {
  test("leaves what takes the place of a file that is being written as it is", async () => {
    await using agent = await AgentProcess.ready();
    const [victim, folder] = [join(agent.folder, "victim"), join(agent.folder, "open")];
    writeFileSync(victim, "mine", { mode: 0o600 });
    mkdirSync(folder);
    const calls = openCalls(agent);
    const writer = await TreeWriter.open(calls.caller, { path: folder, owners });
    const bytes = fileRecord("a", "first and last", 0o777);
    await writer.write(bytes.subarray(0, -4));
    await expect.poll(() => existsSync(join(folder, "a"))).toBe(true);
    rmSync(join(folder, "a"));
    symlinkSync(victim, join(folder, "a"));
    await writer.write(bytes.subarray(-4));
    expect(await outcomeOf(agent, calls, writer.end())).toEqual({ exitCode: 0 });
    expect(lstatSync(victim).mode & 0o777).toBe(0o600);
    expect(readFileSync(victim, "utf8")).toBe("mine");
  });

  test("writes files, folders and links with their modes and times", async () => {
    await using agent = await AgentProcess.ready();
    const parts = [
      folderRecord("d", 0o1700),
      fileRecord("d/run", "#!/bin/sh\n", 0o4755),
      folderRecord("d/empty"),
      linkRecord("d/link", "/etc/passwd"),
      fileRecord("none", "", 0o600),
    ];
    expect(await put(agent, agent.folder, ...parts)).toMatchObject({ exitCode: 0 });
    const at = (path: string) => join(agent.folder, path);
    expect(readFileSync(at("d/run"), "utf8")).toBe("#!/bin/sh\n");
    expect(lstatSync(at("d/run")).mode).toBe(0o104755);
    expect(lstatSync(at("d")).mode).toBe(0o041700);
    expect(readlinkSync(at("d/link"))).toBe("/etc/passwd");
    for (const path of ["d", "d/run", "d/empty", "d/link", "none"]) {
      expect(lstatSync(at(path), { bigint: true }).mtimeNs).toBe(1_500_000_000_123_456_789n);
    }
  });

  test("replaces files and links, keeps folders, and follows no link below its folder", async () => {
    await using agent = await AgentProcess.ready();
    const at = (path: string) => join(agent.folder, path);
    mkdirSync(at("into/d"), { recursive: true });
    mkdirSync(at("outside"));
    writeFileSync(at("into/d/stays"), "stays");
    writeFileSync(at("victim"), "victim");
    symlinkSync(at("victim"), at("into/d/f"));
    symlinkSync(at("outside"), at("into/way"));
    const good = await put(agent, at("into"), folderRecord("d"), fileRecord("d/f", "new"));
    expect(good).toMatchObject({ exitCode: 0 });
    expect(readFileSync(at("into/d/f"), "utf8")).toBe("new");
    expect(lstatSync(at("into/d/f")).isFile()).toBe(true);
    expect(readFileSync(at("victim"), "utf8")).toBe("victim");
    expect(existsSync(at("into/d/stays"))).toBe(true);
    expect(await put(agent, at("into"), fileRecord("way/f", "x"))).toMatchObject({
      failure: "errno",
      errno: 40,
    });
    expect(existsSync(at("outside/f"))).toBe(false);
    expect(await put(agent, at("into"), fileRecord("d", "x"))).toMatchObject({
      failure: "errno",
      errno: 21,
    });
  });

  test("makes hard links to what is below its folder, and to nothing behind a link", async () => {
    await using agent = await AgentProcess.ready();
    const at = (path: string) => join(agent.folder, path);
    mkdirSync(at("into"));
    writeFileSync(at("secret"), "secret");
    symlinkSync("..", at("into/up"));
    const hard = (path: string, target: string) => linkRecord(path, target, "hardlink");
    const parts = [folderRecord("d"), fileRecord("d/a", "shared"), hard("b", "d/a")];
    expect(await put(agent, at("into"), ...parts)).toMatchObject({ exitCode: 0 });
    expect(lstatSync(at("into/b")).ino).toBe(lstatSync(at("into/d/a")).ino);
    expect(await put(agent, at("into"), hard("stolen", "up/secret"))).toMatchObject({
      failure: "errno",
      errno: 40,
    });
    const record = Buffer.from(hard("stolen", "xx/secret"));
    record.write("../secret", record.length - 9);
    expect(await put(agent, at("into"), record)).toMatchObject({ failure: "invalid" });
    expect(existsSync(at("into/stolen"))).toBe(false);
  });

  test.each(["../f", "/f", "a//f", "./f", "a/..", "f/", "."])(
    "refuses the name %j",
    async (name) => {
      await using agent = await AgentProcess.ready();
      mkdirSync(join(agent.folder, "into"));
      // The codec would not send it: a name of the same length is made into it.
      const record = fileRecord("x".repeat(name.length), "content");
      Buffer.from(name).copy(record, 33);
      expect(await put(agent, join(agent.folder, "into"), record)).toMatchObject({
        failure: "invalid",
        errno: 22,
      });
      expect(existsSync(join(agent.folder, "f"))).toBe(false);
    },
  );

  test("input that ends within a file is told", async () => {
    await using agent = await AgentProcess.ready();
    const cut = fileRecord("f", "content").subarray(0, -1);
    expect(await put(agent, agent.folder, cut)).toMatchObject({ failure: "invalid", errno: 5 });
    expect(await put(agent, agent.folder, cut.subarray(0, 20))).toMatchObject({
      failure: "invalid",
    });
    expect(await put(agent, join(agent.folder, "nope"))).toMatchObject({
      failure: "not-found",
      errno: 2,
    });
  });
});

describe("GET", () => {
  test("gives a folder with what is in it, and PUT takes it back", async () => {
    await using agent = await AgentProcess.ready();
    const at = (path: string) => join(agent.folder, path);
    mkdirSync(at("tree/deep/er"), { recursive: true });
    writeFileSync(at("tree/deep/f"), "x".repeat(200_000), { mode: 0o640 });
    symlinkSync("deep/f", at("tree/link"));
    utimesSync(at("tree/deep/f"), 1e9, 1e9);
    const { result, files, isWhole } = await get(agent, `${at("tree")}//`);
    expect(result).toMatchObject({ exitCode: 0 });
    expect(isWhole).toBe(true);
    expect(files.map(({ path }) => path).sort()).toEqual([
      "tree",
      "tree/deep",
      "tree/deep/er",
      "tree/deep/f",
      "tree/link",
    ]);
    const byPath = new Map(files.map((file) => [file.path, file]));
    expect(byPath.get("tree/deep/f")).toMatchObject({
      kind: "file",
      mode: 0o640,
      mtimeNs: 10n ** 18n,
    });
    expect(byPath.get("tree/deep/f")?.content.length).toBe(200_000);
    expect(byPath.get("tree/link")).toMatchObject({ kind: "symlink", link: "deep/f" });
  });

  // The stack of a process is 8 MiB, and a path has at most 4095 bytes.
  test("gives folders that are as deep as paths can be", async () => {
    await using agent = await AgentProcess.ready();
    const script = 'chdir shift; for (1 .. 2044) { mkdir "a" or die $!; chdir "a" or die $!; }';
    execFileSync("perl", ["-e", script, agent.folder]);
    const { result, files } = await get(agent, join(agent.folder, "a"));
    expect([result.exitCode, files.length]).toEqual([0, 2044]);
    expect(files.at(-1)?.path).toBe(Array(2044).fill("a").join("/"));
  });

  test("sends a file of several names once, and the others as links to the first", async () => {
    await using agent = await AgentProcess.ready();
    const at = (path: string) => join(agent.folder, path);
    mkdirSync(at("tree/a"), { recursive: true });
    writeFileSync(at("tree/f"), "content");
    for (const path of ["tree/a/g", "tree/h", "outside"]) linkSync(at("tree/f"), at(path));
    writeFileSync(at("outside-too"), "other");
    linkSync(at("outside-too"), at("tree/other"));
    const { files, isWhole, result } = await get(agent, at("tree"));
    expect([isWhole, result.exitCode]).toEqual([true, 0]);
    const [first, ...others] = files.filter(({ path }) => /[fgh]$/.test(path));
    expect(first).toMatchObject({ kind: "file", content: "content" });
    expect(others).toHaveLength(2);
    for (const other of others) {
      expect(other).toMatchObject({ kind: "hardlink", link: first?.path, content: "" });
    }
    expect(files.find(({ path }) => path === "tree/other")).toMatchObject({ content: "other" });
  });

  test("tells many files of several names apart", async () => {
    await using agent = await AgentProcess.ready();
    const at = (path: string) => join(agent.folder, path);
    mkdirSync(at("many"));
    // More than the agent's table has rows.
    const names = Array.from({ length: 4200 }, (_, index) => `many/${index}`);
    for (const name of names) {
      writeFileSync(at(name), name);
      linkSync(at(name), at(`${name}-too`));
    }
    const { files } = await get(agent, at("many"));
    expect(files).toHaveLength(1 + 2 * names.length);
    const wrong = files.slice(1).filter(({ path, kind, content, link }) => {
      const told = kind === "file" ? content : link;
      return told?.replace("-too", "") !== path.replace("-too", "");
    });
    expect(wrong).toEqual([]);
    expect(files.filter(({ kind }) => kind === "hardlink")).toHaveLength(names.length);
  });

  test("looks at a path, and follows a link only when it is told to", async () => {
    await using agent = await AgentProcess.ready();
    const at = (path: string) => join(agent.folder, path);
    writeFileSync(at("f"), "content");
    symlinkSync("f", at("link"));
    expect((await get(agent, at("link"))).files).toMatchObject([
      { path: "link", kind: "symlink", link: "f" },
    ]);
    expect((await get(agent, at("link"), { follows: true })).files).toMatchObject([
      { path: "link", kind: "file", content: "content" },
    ]);
    const seen = await get(agent, at("link"), { follows: true, onlyLooks: true });
    expect(seen.files).toMatchObject([{ path: "link", kind: "file" }]);
    const looked = await get(agent, agent.folder, { onlyLooks: true });
    expect(looked.files).toMatchObject([{ kind: "directory" }]);
  });

  test.each([
    ["what is not there", "/nope", "not-found", 2],
    ["a path without a last name", "/etc/..", "invalid", 22],
    ["a device", "/dev/null", "unsupported", 0],
  ])("%s is told", async (_, path, failure, errno) => {
    await using agent = await AgentProcess.ready();
    expect((await get(agent, path)).result).toMatchObject({ failure, errno });
  });

  test("cancelling ends a transfer", async () => {
    await using agent = await AgentProcess.ready();
    const path = join(agent.folder, "large");
    writeFileSync(path, Buffer.alloc(1_000_000));
    const calls = openCalls(agent);
    const chunks = await readTree(calls.caller, { path });
    await chunks.next();
    agent.send({ type: "cancel", streamId: calls.streamId });
    const { exitCode, signal } = await agent.result(calls.streamId);
    expect([exitCode, signal]).toEqual([137, 9]);
    const rest = async () => {
      for await (const _ of chunks);
    };
    await expect(rest()).rejects.toThrow("it ended early");
  });
});
