import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { openFile } from "@box/io/node";
import { digestOf } from "@box/rootfs";
import { type DiskBase, Runtime } from "@box/runtime";
import { expect } from "vitest";
import { FakeImages } from "../fake-images.ts";
import { contentOf, later, marker } from "./box-content.ts";
import { expectEither, namesIn, snapshotsIn, type VerbCase } from "./verb-case.ts";

const grownBytes = 64 * 1024 * 1024;

async function userBase(at: string | Runtime): Promise<DiskBase> {
  if (typeof at !== "string") {
    const { disks } = await at.boxes.inspect("web");
    if (disks.user?.base === undefined) throw new Error("the disk has a base");
    return disks.user.base;
  }
  await using runtime = await Runtime.open({ home: at, images: new FakeImages() });
  return await userBase(runtime);
}

/** Verbs that change a disk, a name or an archive. */
export const diskCases: readonly VerbCase[] = [
  {
    verb: "clone",
    args: ["web", { name: "copy" }],
    refusal: "BOX_NAME_TAKEN",
    check: async (runtime, isDone) => {
      expectEither(await namesIn(runtime), ["web"], ["copy", "web"], isDone);
      if ((await namesIn(runtime)).includes("copy")) {
        const { box, container } = await runtime.boxes.prepare("copy");
        expect(container.disk.outcome).toBe("kept");
        expect(await contentOf(box)).toEqual([marker, later]);
      }
      expect(await contentOf(await runtime.boxes.inspect("web"))).toEqual([marker, later]);
    },
  },
  {
    verb: "rename",
    args: ["web", "www"],
    refusal: "BOX_NOT_FOUND",
    check: async (runtime, isDone) => {
      expectEither(await namesIn(runtime), ["web"], ["www"], isDone);
      const [name = ""] = await namesIn(runtime);
      expect(await contentOf(await runtime.boxes.inspect(name))).toEqual([marker, later]);
    },
  },
  {
    verb: "resize",
    args: ["web", grownBytes],
    check: async (runtime, isDone) => {
      const { box, container } = await runtime.boxes.prepare("web");
      const size = container.disk.virtualSizeBytes;
      if (isDone) expect(size).toBe(grownBytes);
      expect(box.disks.user?.virtualSizeBytes).toBe(size);
      expect(await contentOf(box)).toEqual([marker, later]);
    },
  },
  {
    verb: "createSnapshot",
    args: ["web", "s2"],
    refusal: "BOX_SNAPSHOT_NAME_TAKEN",
    check: async (runtime, isDone) => {
      expectEither(await snapshotsIn(runtime), ["s1"], ["s1", "s2"], isDone);
      expect(await contentOf(await runtime.boxes.inspect("web"))).toEqual([marker, later]);
    },
  },
  {
    verb: "restoreSnapshot",
    args: ["web", "s1"],
    check: async (runtime, isDone) => {
      const content = await contentOf(await runtime.boxes.inspect("web"));
      const zeros = new Uint8Array(later.byteLength);
      expectEither(content, [marker, later], [marker, zeros], isDone);
      expect(await snapshotsIn(runtime)).toEqual(["s1"]);
    },
  },
  {
    verb: "removeSnapshot",
    args: ["web", "s1"],
    refusal: "BOX_SNAPSHOT_NOT_FOUND",
    check: async (runtime, isDone) => {
      expectEither(await snapshotsIn(runtime), ["s1"], [], isDone);
      expect(await contentOf(await runtime.boxes.inspect("web"))).toEqual([marker, later]);
    },
  },
  {
    verb: "restore",
    when: "of a lost base",
    args: ["web"],
    before: async ({ home }) => rm((await userBase(home)).path),
    check: async (runtime, isDone) => {
      const { path, sizeBytes, digest } = await userBase(runtime);
      const isThere = existsSync(path);
      if (isDone) expect(isThere).toBe(true);
      if (isThere) {
        await using file = await openFile(path);
        expect(await digestOf(file, sizeBytes)).toBe(digest);
      } else await runtime.boxes.restore("web");
      expect(await contentOf(await runtime.boxes.inspect("web"))).toEqual([marker, later]);
    },
  },
  {
    verb: "export",
    args: ["web", "ARCHIVE.new"],
    refusal: "IO_EXISTS",
    check: async (runtime, isDone) => {
      const archive = join(runtime.home.root, "..", "archive.new");
      if (isDone || existsSync(archive)) {
        const { box } = await runtime.boxes.import(archive, { name: "copy" });
        expect(await contentOf(box)).toEqual([marker, later]);
        await runtime.boxes.remove("copy");
      }
    },
  },
  {
    verb: "import",
    args: ["ARCHIVE", { name: "copy" }],
    refusal: "BOX_NAME_TAKEN",
    check: async (runtime, isDone) => {
      expectEither(await namesIn(runtime), ["web"], ["copy", "web"], isDone);
      if ((await namesIn(runtime)).includes("copy")) {
        expect(await contentOf(await runtime.boxes.inspect("copy"))).toEqual([marker, later]);
      }
    },
  },
];
