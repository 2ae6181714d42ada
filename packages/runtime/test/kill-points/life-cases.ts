import { readdir, truncate } from "node:fs/promises";
import { join } from "node:path";
import { Runtime } from "@box/runtime";
import { expect } from "vitest";
import { FakeImages } from "../fake-images.ts";
import { contentOf, later, marker } from "./box-content.ts";
import { expectEither, namesIn, type VerbCase } from "./verb-case.ts";

const webIsWhole = async (runtime: Runtime) =>
  expect(await contentOf(await runtime.boxes.inspect("web"))).toEqual([marker, later]);

const bases = async ({ home }: Runtime) =>
  (await readdir(join(home.root, "bases"))).filter((name) => name.endsWith(".ext4")).length;

/** Verbs that make boxes and take them away. */
export const lifeCases: readonly VerbCase[] = [
  {
    verb: "create",
    when: "of an image whose base is there",
    args: [{ image: "app", name: "new" }],
    refusal: "BOX_NAME_TAKEN",
    check: async (runtime, isDone) => {
      expectEither(await namesIn(runtime), ["web"], ["new", "web"], isDone);
      await webIsWhole(runtime);
    },
  },
  {
    verb: "create",
    when: "of an image that is new",
    args: [{ image: "other", name: "new", diskSizeBytes: 48 * 1024 * 1024 }],
    refusal: "BOX_NAME_TAKEN",
    check: async (runtime, isDone) => {
      expectEither(await namesIn(runtime), ["web"], ["new", "web"], isDone);
      await webIsWhole(runtime);
    },
  },
  {
    verb: "prepare",
    when: "with a corrupt system disk",
    args: ["web"],
    makesDisks: true,
    before: async ({ home }) => {
      await using runtime = await Runtime.open({ home, images: new FakeImages() });
      const { disks } = await runtime.boxes.inspect("web");
      await truncate(disks.guest?.path ?? "", 100);
    },
    check: async (runtime, isDone) => {
      const { guest, container } = await runtime.boxes.prepare("web");
      const outcome = guest.type === "disk" && guest.disk.outcome;
      // Killed when the corrupt disk had been moved aside, there is none any more.
      expect(isDone ? ["kept"] : ["kept", "created", "recreated"]).toContain(outcome);
      expect(container.disk.outcome).toBe("kept");
      await webIsWhole(runtime);
    },
  },
  {
    verb: "remove",
    args: ["web"],
    refusal: "BOX_NOT_FOUND",
    check: async (runtime, isDone) => {
      expectEither(await namesIn(runtime), ["web"], [], isDone);
      const [box] = await runtime.boxes.list();
      // One whose files are gone, which could not be made safe, waits for the next process.
      if (box !== undefined && box.state !== "removing") await webIsWhole(runtime);
    },
  },
  {
    verb: "prune",
    args: [{ imageGraceMs: 0, quarantineOlderThanMs: 0 }],
    check: async (runtime, isDone) => {
      expectEither(await bases(runtime), 3, 2, isDone);
      await webIsWhole(runtime);
    },
  },
];
