import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmod,
  mkdir,
  open,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { FileTree, planExt4, writeExt4 } from "@box/ext4";
import { openFile } from "@box/io/node";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { createBox, createTestHome, type TestHome } from "../support/boxed-home.ts";
import { type BoxRun, runBoxHere } from "../support/run-box.ts";

let at: TestHome;
beforeEach(async () => {
  at = await createTestHome();
});

const box = (...argv: string[]): Promise<BoxRun> =>
  runBoxHere(["--home", at.home, ...argv], { cwd: at.folder });
/** Builds; a raw disk that comes of it is clean for e2fsck. */
const build = async (...argv: string[]): Promise<BoxRun> => {
  const built = await box("rootfs", "build", at.image, ...argv);
  const disk = join(at.folder, argv[argv.indexOf("-o") + 1] ?? "");
  if (built.exitCode === 0 && disk.endsWith(".ext4")) {
    const { error, status, stdout } = spawnSync("e2fsck", ["-fn", disk], { encoding: "utf8" });
    if (error === undefined) expect({ status, stdout }).toMatchObject({ status: 0 });
  }
  return built;
};
const json = async (...argv: string[]) =>
  JSON.parse((await box("rootfs", ...argv, "--format", "json")).stdout);

async function flipByte(path: string, offset: number): Promise<void> {
  const file = await open(path, "r+");
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, offset);
  byte[0] = (byte[0] as number) ^ 1;
  await file.write(byte, 0, 1, offset);
  await file.close();
}

describe("box rootfs build", () => {
  test("writes a qcow2 that holds the same file system as the raw disk", async () => {
    await build("-o", "a.ext4", "--size", "64MiB");
    const made = await build("-o", "a.qcow2", "--disk-format", "qcow2", "--size", "64MiB");
    expect(made).toMatchObject({ exitCode: 0 });
    expect(made.stdout).toMatch(/format +qcow2/);
    expect((await stat(join(at.folder, "a.qcow2"))).size).toBeLessThan(32 * 2 ** 20);
    expect(await json("ls", "-R", "-f", "qcow2", "a.qcow2")).toEqual(
      await json("ls", "-R", "a.ext4"),
    );
    expect(await json("verify", "-f", "qcow2", "a.qcow2")).toMatchObject([{ isSound: true }]);
    await build("-o", "b.qcow2", "--disk-format", "qcow2", "--size", "64MiB");
    const [a, b] = await Promise.all(
      ["a.qcow2", "b.qcow2"].map((name) => readFile(join(at.folder, name))),
    );
    expect(a?.equals(b ?? Buffer.alloc(0))).toBe(true);
  });

  test("puts files of this machine on top, whose modes and content are in the key", async () => {
    await writeFile(join(at.folder, "agent"), "the agent");
    await writeFile(join(at.folder, "odd:name"), "odd");
    const inject = ["--inject", "agent:/sbin/agent:0755", "--inject", "odd:name:/etc/odd:640"];
    await build("-o", "with.ext4", ...inject);
    await build("-o", "without.ext4");
    const listed = await json("ls", "with.ext4", "/sbin/agent");
    expect(listed).toMatchObject([{ mode: "0755", uid: 0, gid: 0, sizeBytes: 9 }]);
    const cat = await box("rootfs", "cat", "with.ext4", "/etc/odd");
    expect(Buffer.from(cat.bytes ?? []).toString()).toBe("odd");
    const paths = (await json("diff", "without.ext4", "with.ext4")) as { path: string }[];
    expect(paths.map(({ path }) => path)).toEqual(
      expect.arrayContaining(["etc/odd", "sbin/agent"]),
    );
  });

  test.each([
    ["agent", "it is not SRC:DST:MODE"],
    ["agent:/x:rwx", "rwx is no octal mode"],
    ["agent:x:0644", "DST must be an absolute path"],
    ["agent:/a/../b:0644", "DST must be an absolute path"],
    ["agent:/a/:0644", "DST must be an absolute path"],
    ["agent:/a/.wh.b:0644", "would remove files"],
    ["agent://lost+found:0644", "every ext4 file system has that folder"],
    ["agent:/a/.:0644", "DST must be an absolute path"],
    ["/proc/self/status:/a:0644", "its size is not what the system says"],
  ])("refuses to inject %s", async (text, why) => {
    await writeFile(join(at.folder, "agent"), "x");
    const refused = await build("-o", "f", "--inject", text);
    expect(refused).toMatchObject({ exitCode: 2, stdout: "" });
    expect(refused.stderr).toContain(why);
  });

  test("refuses two files for one path, and a file that is not there", async () => {
    await writeFile(join(at.folder, "agent"), "x");
    const twice = await build("-o", "f", "--inject", "agent:/a:0644", "--inject", "agent:/a:0755");
    expect(twice).toMatchObject({ exitCode: 2 });
    const spelt = await build(
      "-o",
      "f",
      "--inject",
      "agent:/a/b:0644",
      "--inject",
      "agent://a/./b:0644",
    );
    expect(spelt).toMatchObject({ exitCode: 2 });
    expect(spelt.stderr).toContain("another file has the same path");
    const folder = await build("-o", "f", "--inject", "agent:/etc:0644");
    expect(folder).toMatchObject({ exitCode: 4, stdout: "" });
    expect(folder.stderr).toContain("error[ROOTFS_INJECTED_ON_FOLDER]");
    expect((await build("-o", "f", "--inject", "none:/a:0644")).exitCode).toBe(3);
    expect(await readdir(at.folder)).not.toContain("f");
  });
});

describe("a disk is read without a mount by", () => {
  beforeEach(async () => {
    await build("-o", "a.ext4");
  });

  test("inspect", async () => {
    const found = await json("inspect", "a.ext4");
    expect(found).toMatchObject({ file: "a.ext4", blockBytes: 4096, label: "" });
    expect(found.features).toEqual(
      expect.arrayContaining(["has_journal", "resize_inode", "extent", "64bit", "metadata_csum"]),
    );
    expect(found.uuid).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect((await box("rootfs", "inspect", "a.ext4")).stdout).toMatch(/inodes +\d+ of \d+ in use/);
  });

  test("ls", async () => {
    const root = (await json("ls", "a.ext4")) as { path: string; type: string }[];
    expect(root.map(({ path }) => path)).toContain("lost+found");
    expect(root.map(({ path }) => path)).toEqual(root.map(({ path }) => path).toSorted());
    const all = (await json("ls", "-R", "a.ext4")) as { path: string; type: string }[];
    expect(all.length).toBeGreaterThan(root.length);
    const [folder] = root.filter(({ type, path }) => type === "directory" && path !== "lost+found");
    const below = (await json("ls", "a.ext4", `/${folder?.path}/`)) as { path: string }[];
    for (const { path } of below) expect(path.startsWith(`${folder?.path}/`)).toBe(true);
    const text = await box("rootfs", "ls", "a.ext4");
    expect(text.stdout).toMatch(/^d0700 {2}0:0 +\d+ {2}1970-01-01T00:00:00Z {2}lost\+found$/m);
    expect((await box("rootfs", "ls", "-q", "a.ext4")).stdout.split("\n")).toContain("lost+found");
    const missing = await box("rootfs", "ls", "a.ext4", "/none");
    expect(missing).toMatchObject({ exitCode: 3 });
    expect(missing.stderr).toContain("CLI_NO_SUCH_PATH");
  });

  test("cat", async () => {
    const all = (await json("ls", "-R", "a.ext4")) as {
      path: string;
      type: string;
      sizeBytes: number;
    }[];
    const largest = all
      .filter(({ type }) => type === "file")
      .toSorted((a, b) => b.sizeBytes - a.sizeBytes)[0];
    const { bytes, exitCode } = await box("rootfs", "cat", "a.ext4", largest?.path ?? "");
    expect(exitCode).toBe(0);
    expect(bytes?.byteLength).toBe(largest?.sizeBytes);
    expect((await box("rootfs", "cat", "a.ext4", "/lost+found")).exitCode).toBe(2);
    expect((await box("rootfs", "cat", "a.ext4", "/none")).exitCode).toBe(3);
  });

  test("diff", async () => {
    await build("-o", "same.ext4", "--size", "64MiB");
    expect(await box("rootfs", "diff", "a.ext4", "same.ext4")).toMatchObject({
      exitCode: 0,
      stdout: "",
    });
    await writeFile(join(at.folder, "x"), "1");
    await writeFile(join(at.folder, "y"), "2");
    await build("-o", "one.ext4", "--inject", "x:/new:0644", "--inject", "x:/both:0644");
    await build("-o", "two.ext4", "--inject", "y:/both:0600");
    const found = await box("rootfs", "diff", "one.ext4", "two.ext4");
    expect(found).toMatchObject({ exitCode: 1 });
    expect(found.stdout).toBe("M both  (mode, content)\n- new\n");
    expect((await box("rootfs", "diff", "-q", "two.ext4", "one.ext4")).stdout).toBe("both\nnew\n");
  });

  test("diff, which passes over what is a hole in both", async () => {
    const make = async (name: string, content: string): Promise<void> => {
      const tree = new FileTree();
      const attributes = { type: "file", mode: 0o644, uid: 0, gid: 0, xattrs: [] } as const;
      const node = tree.add(tree.root, Buffer.from("sparse"), {
        ...attributes,
        mtime: { seconds: 0, nanoseconds: 0 },
        sizeBytes: 2 ** 42,
        dataRuns: content === "" ? [] : [{ offset: 2 ** 41, length: 4096 }],
      });
      const plan = planExt4(tree);
      await using image = await openFile(join(at.folder, name), { mode: "create" });
      await writeExt4(plan, image);
      const [extent] = plan.extents(node);
      if (extent !== undefined) await image.write?.(extent.imageOffset, Buffer.from(content));
    };
    await make("hole.ext4", "");
    await make("one.ext4", "1");
    await make("two.ext4", "2");
    expect(await box("rootfs", "diff", "one.ext4", "one.ext4")).toMatchObject({ exitCode: 0 });
    for (const [a, b] of [
      ["hole", "one"],
      ["one", "hole"],
      ["one", "two"],
    ]) {
      const { stdout } = await box("rootfs", "diff", `${a}.ext4`, `${b}.ext4`);
      expect(stdout).toBe("M sparse  (content)\n");
    }
  });

  test("verify, which finds a flipped bit in metadata and reads what is no disk as such", async () => {
    expect(await box("rootfs", "verify", "a.ext4")).toMatchObject({
      exitCode: 0,
      stdout: "a.ext4: sound\n",
    });
    await flipByte(join(at.folder, "a.ext4"), 4096 + 12);
    const damaged = await box("rootfs", "verify", "a.ext4");
    expect(damaged).toMatchObject({ exitCode: 5 });
    expect(damaged.stdout).toMatch(/^a\.ext4: damaged\n {2}EXT4_BAD_CHECKSUM: /);
    await writeFile(join(at.folder, "no-disk"), Buffer.alloc(8192));
    const none = await box("rootfs", "verify", "no-disk");
    expect(none).toMatchObject({ exitCode: 5 });
    expect(none.stderr).toContain("no-disk");
    expect((await box("rootfs", "verify", "none")).exitCode).toBe(3);
  });
});

describe("what is read or written by mistake is told with what to do:", () => {
  test("an output that is no regular file stays, and one in no folder is refused before any work", async () => {
    await mkdir(join(at.folder, "folder"));
    const listening = createServer();
    await new Promise<void>((done) => listening.listen(join(at.folder, "socket"), done));
    onTestFinished(() => void listening.close());
    await symlink("socket", join(at.folder, "link"));
    for (const command of [["rootfs", "build"], ["export"]]) {
      for (const name of ["folder", "socket", "link"]) {
        const refused = await box(...command, at.image, "-o", name);
        expect(refused).toMatchObject({ exitCode: 6, stdout: "" });
        expect(refused.stderr).toMatch(/cannot replace .*(a folder|not a regular file)/);
      }
      const refused = await box(...command, at.image, "-o", "none/a.ext4");
      expect(refused).toMatchObject({ exitCode: 3, stdout: "" });
    }
    expect((await stat(join(at.folder, "socket"))).isSocket()).toBe(true);
    expect(await readdir(at.folder)).not.toContain("home");
    const stream = await box("rootfs", "build", at.image, "-o", "-");
    expect(stream).toMatchObject({ exitCode: 2 });
    expect(stream.stderr).toContain("standard output");
  });

  test("an output has the permissions of the file of before, or those that the umask leaves", async () => {
    const before = process.umask(0o077);
    onTestFinished(() => void process.umask(before));
    for (const command of [["rootfs", "build"], ["export"]]) {
      await box(...command, at.image, "-o", "private");
      expect((await stat(join(at.folder, "private"))).mode & 0o777).toBe(0o600);
      await writeFile(join(at.folder, "shared"), "");
      await chmod(join(at.folder, "shared"), 0o660);
      expect(await box(...command, at.image, "-o", "shared")).toMatchObject({ exitCode: 0 });
      expect((await stat(join(at.folder, "shared"))).mode & 0o777).toBe(0o660);
      await rm(join(at.folder, "private"));
    }
  });

  test("an output that is a link replaces what it stands for, and a size is rounded up to blocks", async () => {
    await writeFile(join(at.folder, "target"), "old");
    await symlink("target", join(at.folder, "link"));
    const built = await build("-o", "link", "--size", "64000001");
    expect(built).toMatchObject({ exitCode: 0 });
    expect((await stat(join(at.folder, "target"))).size).toBe(64_004_096);
  });

  test("a disk of another format, one of two disks, and a folder that is printed", async () => {
    await build("-o", "a.ext4");
    await build("-o", "a.qcow2", "--disk-format", "qcow2");
    const qcow2 = await box("rootfs", "diff", "a.ext4", "a.qcow2");
    expect(qcow2.stderr).toMatch(/^error\[EXT4_BAD_MAGIC\]: a\.qcow2: /);
    expect(qcow2.stderr).toContain("--input-format qcow2");
    expect((await box("rootfs", "ls", "-f", "qcow2", "a.ext4")).stderr).toContain("leave --input");
    const folder = await box("rootfs", "cat", "a.ext4", "/etc");
    expect(folder).toMatchObject({ exitCode: 2 });
    expect(folder.stderr).toContain("/etc is a directory");
  });

  test("a disk whose files share more attributes than can be held", async () => {
    const tree = new FileTree();
    const time = { seconds: 0, nanoseconds: 0 };
    const large = { type: "file", mode: 0o644, uid: 0, gid: 0, mtime: time } as const;
    const xattrs = Array.from({ length: 40 }, (_, i) => ({
      name: Buffer.from(`user.${i}`),
      value: new Uint8Array(65_536).fill(i),
    }));
    for (let i = 0; i < 110; i++) tree.add(tree.root, Buffer.from(`${i}`), { ...large, xattrs });
    await using image = await openFile(join(at.folder, "bomb.ext4"), { mode: "create" });
    await writeExt4(planExt4(tree), image);
    const refused = await box("rootfs", "ls", "bomb.ext4");
    expect(refused).toMatchObject({ exitCode: 9, stdout: "" });
    expect(refused.stderr).toContain("EXT4_OVER_LIMIT");
  });
});

describe("box rootfs verify without a file", () => {
  test("reads every base of the home from end to end, and finds a flipped bit of content", async () => {
    at = await createBox();
    const bases = join(at.home, "bases");
    const sound = await json("verify");
    expect(sound).toHaveLength(2);
    const [first] = (await readdir(bases)).filter((name) => name.endsWith(".ext4"));
    const path = join(bases, first ?? "");
    const before = createHash("sha256")
      .update(await readFile(path))
      .digest("hex");
    await flipByte(path, (await stat(path)).size - 1);
    const damaged = await box("rootfs", "verify");
    expect(damaged).toMatchObject({ exitCode: 5 });
    expect(damaged.stdout).toContain(`${path}: damaged\n  ROOTFS_BASE_DIGEST_MISMATCH: `);
    expect((await box("rootfs", "verify", "-q")).stdout).toBe(`${path}\n`);
    await flipByte(path, (await stat(path)).size - 1);
    expect(
      createHash("sha256")
        .update(await readFile(path))
        .digest("hex"),
    ).toBe(before);
  });
});

describe("a box's overlay", () => {
  test("is read through its base when the base's folder is allowed, and refused when not", async () => {
    const made = await createBox();
    at = made;
    const refused = await box("rootfs", "ls", "-f", "qcow2", made.userDisk);
    expect(refused).toMatchObject({ exitCode: 9, stdout: "" });
    expect(refused.stderr).toContain("--allow DIR");
    const listed = await box(
      ...["rootfs", "ls", "-q", "-f", "qcow2", made.userDisk],
      ...["--allow", made.folder, "--allow", join(made.home, "bases")],
    );
    expect(listed.stdout.split("\n")).toContain("lost+found");
  });
});
