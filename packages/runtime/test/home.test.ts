import { mkdirSync, writeFileSync } from "node:fs";
import {
  chmod,
  chown,
  mkdir,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setImmediate } from "node:timers/promises";
import { acquireLock } from "@box/io/node";
import { Runtime } from "@box/runtime";
import { describe, expect, onTestFinished, test } from "vitest";
import { homeLayout } from "../src/home/layout.ts";
import { StateDatabase } from "../src/state/database.ts";
import { refuseLostState } from "../src/state/lost-state.ts";
import { FakeImages } from "./fake-images.ts";
import { startChild } from "./run-child.ts";
import { temporaryFolder } from "./test-home.ts";

const isRoot = process.geteuid?.() === 0;
const nobody = 65534;

async function open(home: string, options = {}): Promise<Runtime> {
  const runtime = await Runtime.open({ home, images: new FakeImages(), ...options });
  onTestFinished(() => runtime.close());
  return runtime;
}

describe("a home", () => {
  test("is made with everything in it, for its owner only", async () => {
    const home = join(await temporaryFolder(), "deep", "home");
    await open(home);
    expect((await stat(home)).mode & 0o7777).toBe(0o700);
    for (const name of ["version", "state.db", "state.db-wal", "state.db-shm"]) {
      expect((await stat(join(home, name))).mode & 0o7777).toBe(0o600);
    }
    expect(await readFile(join(home, "version"), "utf8")).toBe("1\n");
    const names = (await readdir(home)).filter((name) => !name.startsWith("state.db-"));
    expect(names.sort()).toEqual([
      "bases",
      "boxes",
      "images",
      "locks",
      "state.db",
      "tmp",
      "version",
    ]);
    for (const name of ["bases", "boxes", "images", "locks", "tmp"]) {
      expect((await stat(join(home, name))).mode & 0o7777).toBe(0o700);
    }
  });

  test("is taken for the owner alone when it is an empty folder that others could read", async () => {
    const home = await temporaryFolder();
    await chmod(home, 0o755);
    await open(home);
    expect((await stat(home)).mode & 0o7777).toBe(0o700);
  });

  test("is opened again with what is in it", async () => {
    const home = join(await temporaryFolder(), "home");
    const first = await open(home);
    await first.boxes.create({ image: "app", name: "web" });
    await first.close();
    expect(await (await open(home)).boxes.list()).toMatchObject([{ name: "web" }]);
  });

  test("that leads to a folder whose name is not UTF-8 is refused, and nothing is made there", async () => {
    const folder = await temporaryFolder();
    const odd = Buffer.concat([Buffer.from(join(folder, "h")), Buffer.of(0xff)]);
    await mkdir(odd, 0o700);
    const home = join(folder, "link");
    await symlink(odd, home);
    await expect(open(home)).rejects.toMatchObject({
      code: "HOME_UNREADABLE",
      message: expect.stringContaining("is not UTF-8"),
      details: { path: home },
    });
    expect(await readdir(odd)).toEqual([]);
    // What Node.js puts in the place of such bytes may be in a name.
    await open(join(folder, "h\uFFFD"));
  });

  test("behind a symbolic link is named by its canonical path", async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, "real"));
    await symlink(join(folder, "real"), join(folder, "link"));
    const runtime = await open(join(folder, "link"));
    expect(runtime.home.root).toBe(join(folder, "real"));
    const { box } = await runtime.boxes.create({ image: "app", name: "web" });
    expect(box.disks.guest?.base?.path).toMatch(join(folder, "real"));
  });

  test("is started again after a first start that was interrupted", async () => {
    const home = await temporaryFolder();
    await mkdir(join(home, "boxes"));
    await writeFile(join(home, ".tmp-1-1-0123456789abcdef"), "");
    await open(home);
    expect(await readFile(join(home, "version"), "utf8")).toBe("1\n");
  });
});

test.each(Array.from({ length: 8 }, (_, index) => index + 1))(
  "a home that many open while it is being made is open for each of them (every %i turns)",
  async (turns) => {
    const home = join(await temporaryFolder(), "home");
    const openers = Array.from({ length: 40 }, async (_, index) => {
      // One after the other, so that some look at the home in each state that it goes through.
      for (let turn = 0; turn < index * turns; turn++) await setImmediate();
      await open(home);
    });
    await Promise.all(openers);
    expect(await readFile(join(home, "version"), "utf8")).toBe("1\n");
  },
);

describe("a home is refused, and not changed,", () => {
  test("when it is a file, or below one", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, "file"), "precious");
    for (const home of [join(folder, "file"), join(folder, "file", "home")]) {
      await expect(open(home)).rejects.toMatchObject({
        code: "HOME_NOT_A_FOLDER",
        kind: "invalid-argument",
        hint: expect.any(String),
      });
    }
    expect(await readFile(join(folder, "file"), "utf8")).toBe("precious");
  });

  test("when it is a symbolic link that leads nowhere, or below one", async () => {
    const folder = await temporaryFolder();
    await symlink(join(folder, "nowhere"), join(folder, "link"));
    for (const home of [join(folder, "link"), join(folder, "link", "home")]) {
      await expect(open(home)).rejects.toMatchObject({
        code: "HOME_NOT_A_FOLDER",
        hint: expect.any(String),
      });
    }
    expect(await readdir(folder)).toEqual(["link"]);
  });

  test("when it has other things in it", async () => {
    const home = await temporaryFolder();
    await writeFile(join(home, "thesis.txt"), "");
    await expect(open(home)).rejects.toMatchObject({ code: "HOME_NOT_EMPTY" });
    expect(await readdir(home)).toEqual(["thesis.txt"]);
  });

  test("when its format is newer", async () => {
    const home = await temporaryFolder();
    await writeFile(join(home, "version"), "2\n");
    await expect(open(home)).rejects.toMatchObject({
      code: "HOME_TOO_NEW",
      kind: "unsupported",
      details: { found: 2, supported: 1 },
    });
    expect(await readdir(home)).toEqual(["version"]);
  });

  test.each(["", "x", "0", "-1", "1.5", "1 2", "9".repeat(30)])(
    "when its version file holds %j",
    async (content) => {
      const home = await temporaryFolder();
      await writeFile(join(home, "version"), content);
      await expect(open(home)).rejects.toMatchObject({
        code: "HOME_VERSION_INVALID",
        kind: "corrupt",
      });
      expect(await readdir(home)).toEqual(["version"]);
    },
  );

  test.skipIf(!isRoot)("when it belongs to somebody else (needs root)", async () => {
    const home = await temporaryFolder();
    await chown(home, nobody, nobody);
    await expect(open(home)).rejects.toMatchObject({
      code: "HOME_FOREIGN_OWNER",
      kind: "denied",
      details: { owner: nobody, user: 0 },
    });
    expect(await readdir(home)).toEqual([]);
  });

  test.each([0o770, 0o702, 0o777])("when others can write to it (mode %o)", async (mode) => {
    const home = await temporaryFolder();
    await chmod(home, mode);
    await expect(open(home)).rejects.toMatchObject({ code: "HOME_WRITABLE_BY_OTHERS" });
    expect(await readdir(home)).toEqual([]);
  });

  test.skipIf(!isRoot)("when it cannot be read (needs root)", { timeout: 30_000 }, async () => {
    const folder = await temporaryFolder();
    await chmod(folder, 0o755);
    const home = join(folder, "home");
    await mkdir(home, { mode: 0 });
    await chown(home, nobody, nobody);
    expect(await startChild({ home, user: nobody }).last()).toMatchObject({
      type: "error",
      code: "HOME_UNREADABLE",
      kind: "io",
    });
  });

  test.skipIf(!isRoot)("when it cannot be made (needs root)", { timeout: 30_000 }, async () => {
    const folder = await temporaryFolder();
    await chmod(folder, 0o755);
    const child = startChild({ home: join(folder, "home"), user: nobody });
    expect(await child.last()).toMatchObject({ code: "HOME_UNREADABLE", kind: "io" });
  });

  test.each([0x6969, 0xff534d42, -11317950, 0x01021997])(
    "when it is on a network file system (type %i), unless that is allowed",
    async (type) => {
      const home = await temporaryFolder();
      const fileSystemType = async () => type;
      await expect(open(home, { fileSystemType })).rejects.toMatchObject({
        code: "HOME_ON_NETWORK",
        kind: "unsupported",
      });
      expect(await readdir(home)).toEqual([]);
      await open(home, { fileSystemType, allowNetworkFileSystem: true });
    },
  );
});

async function openDatabase(): Promise<StateDatabase> {
  const folder = await temporaryFolder();
  return StateDatabase.open(join(folder, "state.db"), join(folder, "lock"));
}

describe("a state", () => {
  async function madeHome(): Promise<string> {
    const home = join(await temporaryFolder(), "home");
    const runtime = await open(home);
    await runtime.boxes.create({ image: "app", name: "web" });
    await runtime.close();
    return home;
  }

  test("that another process is making is not waited for longer than the caller wants", async () => {
    const home = join(await temporaryFolder(), "home");
    await mkdir(join(home, "locks"), { recursive: true, mode: 0o700 });
    await using _lock = await acquireLock(join(home, "locks", "state.lock"));
    const signal = AbortSignal.timeout(300);
    await expect(open(home, { signal })).rejects.toThrow(/abort/i);
  });

  test("that is newer is refused and not changed", async () => {
    const home = await madeHome();
    const database = new DatabaseSync(join(home, "state.db"));
    database.exec("PRAGMA user_version = 99");
    database.close();
    await expect(open(home)).rejects.toMatchObject({
      code: "STATE_TOO_NEW",
      kind: "unsupported",
      details: { found: 99 },
    });
  });

  test("that is no database is refused as corrupt and not changed", async () => {
    const home = await madeHome();
    await writeFile(join(home, "state.db"), "not a database, and longer than a header ".repeat(9));
    const before = await readFile(join(home, "state.db"));
    await expect(open(home)).rejects.toMatchObject({ code: "STATE_CORRUPT", kind: "corrupt" });
    expect(await readFile(join(home, "state.db"))).toEqual(before);
  });

  test.each([
    ["UPDATE boxes SET state = 'dancing'", "state"],
    ["UPDATE boxes SET guest_rootfs = '{'", "guest_rootfs"],
    ["UPDATE boxes SET guest_rootfs = '1'", "guest_rootfs"],
  ])("damaged by %s is told with the column", async (sql, column) => {
    const home = await madeHome();
    const database = new DatabaseSync(join(home, "state.db"));
    database.exec(sql);
    database.close();
    const runtime = await open(home);
    await expect(runtime.boxes.list()).rejects.toMatchObject({
      code: "STATE_CORRUPT",
      details: { table: "boxes", column },
    });
  });

  test("that is a folder is an I/O error", async () => {
    const home = await temporaryFolder();
    await writeFile(join(home, "version"), "1\n");
    await mkdir(join(home, "state.db"));
    await expect(open(home)).rejects.toMatchObject({ code: "STATE_FAILED", kind: "io" });
  });

  test("in WAL mode syncs every commit", async () => {
    using database = await openDatabase();
    expect(database.get("PRAGMA journal_mode")).toEqual({ journal_mode: "wal" });
    expect(database.get("PRAGMA synchronous")).toEqual({ synchronous: 2 });
    expect(database.get("PRAGMA foreign_keys")).toEqual({ foreign_keys: 1 });
    expect(database.get("PRAGMA busy_timeout")).toEqual({ timeout: 5000 });
  });

  test("does not wait for the disk where asked, and does so again at the next commit", async () => {
    using database = await openDatabase();
    const level = () => database.get("PRAGMA synchronous")?.["synchronous"];
    expect(database.transaction(level, { sync: false })).toBe(1);
    expect(database.transaction(level)).toBe(2);
    const bug = () => {
      throw new Error("bug");
    };
    expect(() => database.transaction(bug, { sync: false })).toThrow("bug");
    expect(database.transaction(level)).toBe(2);
  });

  test("takes back everything of a transaction that throws", async () => {
    using database = await openDatabase();
    const put = () => database.run("INSERT INTO leases VALUES ('a', 'b', 'c', '{}', 0)");
    const bug = new Error("bug");
    expect(() =>
      database.transaction(() => {
        put();
        throw bug;
      }),
    ).toThrow(bug);
    expect(database.all("SELECT * FROM leases")).toEqual([]);
    put();
    expect(() => database.transaction(put)).toThrow(
      expect.objectContaining({ code: "STATE_FAILED" }),
    );
  });
});

describe("a state that is lost", () => {
  test.each([
    ["gone", (path: string) => rm(path)],
    ["empty", (path: string) => truncate(path)],
  ])(
    "is refused as corrupt when it is %s while boxes are there, and nothing changes",
    async (_how, lose) => {
      const home = join(await temporaryFolder(), "home");
      const runtime = await Runtime.open({ home, images: new FakeImages() });
      await runtime.close();
      await mkdir(join(home, "boxes", "some-box"));
      await lose(join(home, "state.db"));
      const before = await readdir(home);
      await expect(Runtime.open({ home, images: new FakeImages() })).rejects.toMatchObject({
        code: "STATE_CORRUPT",
        kind: "corrupt",
        hint: expect.stringContaining("backup"),
      });
      expect(await readdir(home)).toEqual(before);
    },
  );

  test("is not one that another process starts and puts its first box in just now", async () => {
    const home = homeLayout(await temporaryFolder());
    const seen = {
      ...home,
      get boxes() {
        mkdirSync(join(home.boxes, "first-box"), { recursive: true });
        writeFileSync(home.state, "some state");
        return home.boxes;
      },
    };
    await expect(refuseLostState(seen)).resolves.toBeUndefined();
  });

  test("is a new one when there is no box", async () => {
    const home = join(await temporaryFolder(), "home");
    await (await Runtime.open({ home, images: new FakeImages() })).close();
    await truncate(join(home, "state.db"));
    const runtime = await open(home);
    expect(await runtime.boxes.list()).toEqual([]);
  });
});

test("a home whose path is too long for its locks is refused before anything is made, and no shorter one", async () => {
  const folder = await temporaryFolder();
  // A name has 255 bytes at most.
  const outer = join(folder, "x".repeat(200));
  const longest = join(outer, "y".repeat(420 - Buffer.byteLength(outer) - 1));
  const runtime = await open(longest);
  await runtime.boxes.create({ image: "app", name: "web" });
  await runtime.boxes.remove("web");
  expect((await runtime.storage.prune()).removed).toHaveLength(2);
  await runtime.close();
  await rm(outer, { recursive: true });
  await expect(open(`${longest}y`)).rejects.toMatchObject({
    code: "HOME_PATH_TOO_LONG",
    kind: "invalid-argument",
  });
  expect(await readdir(folder)).toEqual([]);
});
