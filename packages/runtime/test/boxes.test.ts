import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { acquireLock } from "@box/io/node";
import { type BoxEvent, boxStates, checkBoxName, legalMoves, Runtime } from "@box/runtime";
import { describe, expect, test } from "vitest";
import { checkMove } from "../src/boxes/states.ts";
import { FakeImages } from "./fake-images.ts";
import { openTestRuntime, temporaryFolder } from "./test-home.ts";

describe("create", () => {
  test("makes both disks and records base, key, digest, format and sizes", async () => {
    const { runtime, home } = await openTestRuntime();
    const { box, guest, container, metrics } = await runtime.boxes.create({
      image: "app",
      name: "web",
    });
    expect(box).toMatchObject({ name: "web", state: "created", image: { reference: "app" } });
    // A base is as large as its content: a box needs room.
    expect(box.disks.user?.virtualSizeBytes).toBe(10 * 1024 ** 3);
    expect(box.disks.guest?.virtualSizeBytes).toBe(box.disks.guest?.base?.sizeBytes);
    for (const disk of [box.disks.user, box.disks.guest]) {
      const path = disk?.base?.path ?? "";
      expect(disk).toMatchObject({
        base: {
          path: join(home, "bases", `${disk?.base?.key}.ext4`),
          format: "raw",
          digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
          sizeBytes: (await stat(path)).size,
        },
      });
    }
    expect(guest).toMatchObject({ type: "disk", environment: [["PATH", "/bin"]] });
    expect(container.config.command).toEqual(["/hello"]);
    expect(metrics.tasks.map(({ task }) => task)).toEqual([
      "filesystem_setup",
      "container_rootfs_prep",
      "guest_rootfs_init",
    ]);
    expect(box.imageConfig).toEqual(container.config);
  });

  test("without a guest disk yields none, and the choice is recorded", async () => {
    const { runtime, images } = await openTestRuntime();
    const made = await runtime.boxes.create({
      image: "app",
      name: "web",
      guestRootfs: { type: "initramfs" },
    });
    expect(made.guest).toEqual({ type: "initramfs" });
    expect(made.box.disks.guest).toBeUndefined();
    expect(await readdir(join(made.box.directory, "disks"))).toEqual(["disk.qcow2"]);
    expect(images.asked).toEqual(["app"]);
    const again = await runtime.boxes.prepare("web");
    expect(again.guest).toEqual({ type: "initramfs" });
    expect(again.box.guestRootfs).toEqual({ type: "initramfs" });
  });

  test("with another guest image makes the guest disk from it, and records it with its digest", async () => {
    const { runtime, images } = await openTestRuntime();
    const { box } = await runtime.boxes.create({
      image: "app",
      name: "web",
      guestRootfs: { type: "disk", reference: "debian" },
    });
    expect(images.asked.toSorted()).toEqual(["app", "debian"]);
    expect(box.guestRootfs).toMatchObject({
      type: "disk",
      reference: "debian",
      imageDigest: expect.stringMatching(/^sha256:/),
    });
  });

  test("makes up a name unless one is given", async () => {
    const { runtime } = await openTestRuntime({ newId: () => "0123456789abcdef".repeat(2) });
    const options = { image: "app", guestRootfs: { type: "initramfs" } } as const;
    await expect(runtime.boxes.create({ ...options, operation: "op" })).resolves.toMatchObject({
      box: { name: "box-01234567" },
    });
  });

  test("refuses a name that is taken, and leaves the box that has it alone", async () => {
    const { runtime } = await openTestRuntime();
    const { box } = await runtime.boxes.create({ image: "app", name: "web" });
    await expect(runtime.boxes.create({ image: "app", name: "web" })).rejects.toMatchObject({
      code: "BOX_NAME_TAKEN",
      kind: "conflict",
    });
    expect(await runtime.boxes.list()).toMatchObject([{ id: box.id }]);
    expect(await readdir(join(runtime.home.boxes))).toEqual([box.id]);
  });

  test.each(["", "-a", ".a", "A", "a b", "a/b", "../a", "a\n", "é", "a".repeat(64)])(
    "refuses %j as a name",
    async (name) => {
      const { runtime } = await openTestRuntime();
      await expect(runtime.boxes.create({ image: "app", name })).rejects.toMatchObject({
        code: "BOX_NAME_INVALID",
        kind: "invalid-argument",
      });
    },
  );

  test.each(["a", "0", "a.b_c-d", "a".repeat(63)])("accepts %j as a name", (name) => {
    expect(() => checkBoxName(name)).not.toThrow();
  });

  test("that fails leaves nothing half-made", async () => {
    const { runtime, images, home } = await openTestRuntime();
    images.failOnce("app");
    await expect(
      runtime.boxes.create({ image: "app", name: "web", operation: "op-1" }),
    ).rejects.toMatchObject({ code: "OCI_NETWORK", kind: "network" });
    expect(await runtime.boxes.list()).toEqual([]);
    expect(await readdir(join(home, "boxes"))).toEqual([]);
    expect((await readdir(join(home, "locks"))).filter((n) => n.startsWith("box-"))).toEqual([]);
    expect(await runtime.operations.get("op-1")).toMatchObject({
      kind: "create",
      state: "failed",
      error: { code: "OCI_NETWORK" },
    });
    await expect(runtime.boxes.create({ image: "app", name: "web" })).resolves.toBeDefined();
  });

  test("that is stopped leaves nothing half-made and is told as cancelled", async () => {
    const { runtime, images, home } = await openTestRuntime();
    const controller = new AbortController();
    images.gate = new Promise((resolve) =>
      controller.signal.addEventListener("abort", () => resolve()),
    );
    const creating = runtime.boxes.create({
      image: "app",
      name: "web",
      operation: "op-1",
      signal: controller.signal,
      onEvent: (event) => {
        if (event.task === "guest_rootfs_init" && event.type === "info") controller.abort();
      },
    });
    await expect(creating).rejects.toMatchObject({ kind: "aborted" });
    expect(await readdir(join(home, "boxes"))).toEqual([]);
    expect(await runtime.operations.get("op-1")).toMatchObject({ state: "cancelled" });
  });

  test("refuses a disk that is smaller than its base", async () => {
    const { runtime } = await openTestRuntime();
    const tooSmall = { image: "app", name: "web", diskSizeBytes: 512 };
    await expect(runtime.boxes.create(tooSmall)).rejects.toMatchObject({
      kind: "invalid-argument",
    });
    expect(await runtime.boxes.list()).toEqual([]);
  });

  test("refuses an operation's id that is taken", async () => {
    const { runtime } = await openTestRuntime();
    await runtime.boxes.create({ image: "app", name: "a", operation: "op-1" });
    await expect(
      runtime.boxes.create({ image: "app", name: "b", operation: "op-1" }),
    ).rejects.toMatchObject({ code: "OPERATION_EXISTS" });
    expect(await runtime.boxes.list()).toHaveLength(1);
  });
});

describe("the bootstrap guest rootfs", () => {
  test("is initialised once for boxes that start at the same time", async () => {
    const { runtime, images } = await openTestRuntime();
    const events: BoxEvent[] = [];
    const onEvent = (event: BoxEvent) => void events.push(event);
    await Promise.all(
      ["a", "b", "c"].map((name) => runtime.boxes.create({ image: "app", name, onEvent })),
    );
    expect(images.asked.filter((asked) => asked === "bootstrap")).toHaveLength(1);
    const told = events.filter((e) => e.type === "info" && e.message.endsWith(" in this process"));
    expect(new Set(told.map(({ box }) => box.name)).size).toBeGreaterThan(0);
  });

  test("is tried again after a failure", async () => {
    const { runtime, images } = await openTestRuntime();
    images.failOnce("bootstrap");
    const first = runtime.boxes.create({ image: "app", name: "a" });
    await expect(first).rejects.toMatchObject({ code: "OCI_NETWORK" });
    await runtime.boxes.create({ image: "app", name: "b" });
    expect(images.asked.filter((asked) => asked === "bootstrap")).toHaveLength(2);
  });

  test("is made again when its base vanished since", async () => {
    const { runtime, images } = await openTestRuntime();
    const { box } = await runtime.boxes.create({ image: "app", name: "a" });
    await rm(box.disks.guest?.base?.path ?? "");
    await runtime.boxes.create({ image: "app", name: "b" });
    expect(images.asked.filter((asked) => asked === "bootstrap")).toHaveLength(2);
  });

  test("gives its environment to later runs from the record", async () => {
    const { runtime, images } = await openTestRuntime();
    images.environment = [
      ["A", "1=2"],
      ["A", ""],
      ["B", "x"],
    ];
    await runtime.boxes.create({ image: "app", name: "a" });
    images.isOffline = true;
    const { guest } = await runtime.boxes.prepare("a");
    expect(guest).toMatchObject({ environment: images.environment });
  });
});

describe("inspect and list", () => {
  test("find a box by name and by id, and tell when there is none", async () => {
    const { runtime } = await openTestRuntime();
    const { box } = await runtime.boxes.create({ image: "app", name: "web" });
    expect((await runtime.boxes.inspect(box.id)).name).toBe("web");
    for (const call of [
      runtime.boxes.inspect("other"),
      runtime.boxes.prepare("other"),
      runtime.boxes.remove("other"),
    ]) {
      await expect(call).rejects.toMatchObject({ code: "BOX_NOT_FOUND", kind: "not-found" });
    }
  });

  test("list boxes by name", async () => {
    const { runtime } = await openTestRuntime();
    for (const name of ["b", "a", "c"]) await runtime.boxes.create({ image: "app", name });
    expect((await runtime.boxes.list()).map(({ name }) => name)).toEqual(["a", "b", "c"]);
  });

  test("give plain JSON", async () => {
    const { runtime } = await openTestRuntime();
    const made = await runtime.boxes.create({ image: "app", name: "web" });
    expect(JSON.parse(JSON.stringify(made))).toEqual(made);
    const shown = await runtime.boxes.inspect("web");
    expect(JSON.parse(JSON.stringify(shown))).toEqual(shown);
  });
});

describe("remove", () => {
  test("takes away what belongs to the box and nothing else", async () => {
    const { runtime, home } = await openTestRuntime();
    const [a, b] = [
      await runtime.boxes.create({ image: "app", name: "a" }),
      await runtime.boxes.create({ image: "app", name: "b" }),
    ];
    const outside = join(home, "outside");
    await mkdir(outside);
    await writeFile(join(outside, "file"), "precious");
    await symlink(outside, join(a.box.directory, "link"));
    const bases = await readdir(join(home, "bases"));
    expect(await runtime.boxes.remove("a")).toMatchObject({ id: a.box.id, name: "a" });
    expect(await readdir(join(home, "boxes"))).toEqual([b.box.id]);
    expect(await readFile(join(outside, "file"), "utf8")).toBe("precious");
    expect(await readdir(join(home, "bases"))).toEqual(bases);
    expect((await runtime.boxes.list()).map(({ name }) => name)).toEqual(["b"]);
    expect(await readdir(join(home, "locks"))).not.toContain(`box-${a.box.id}.lock`);
    await runtime.boxes.prepare("b");
    await runtime.boxes.create({ image: "app", name: "a" });
  });

  test("works on a box whose folder is gone already", async () => {
    const { runtime } = await openTestRuntime();
    const { box } = await runtime.boxes.create({ image: "app", name: "a" });
    await rm(box.directory, { recursive: true });
    await runtime.boxes.remove("a");
    expect(await runtime.boxes.list()).toEqual([]);
  });

  test("is told like every other operation", async () => {
    const { runtime } = await openTestRuntime();
    await runtime.boxes.create({ image: "app", name: "a" });
    const events: BoxEvent[] = [];
    const { operation } = await runtime.boxes.remove("a", { onEvent: (e) => events.push(e) });
    expect(events.map(({ task, type }) => `${task} ${type}`)).toEqual([
      "box_remove started",
      "box_remove finished",
    ]);
    expect(await runtime.operations.events(operation)).toEqual(events);
    expect(await runtime.operations.get(operation)).toMatchObject({
      kind: "remove",
      state: "succeeded",
      box: { name: "a" },
    });
  });

  test("refuses while another runtime works on the box", async () => {
    const { runtime, home } = await openTestRuntime();
    const { box } = await runtime.boxes.create({ image: "app", name: "web" });
    await using _lock = await acquireLock(join(home, "locks", `box-${box.id}.lock`), {
      command: "preparing web",
    });
    await expect(runtime.boxes.remove("web")).rejects.toMatchObject({
      code: "BOX_IN_USE",
      kind: "in-use",
      message: `box web is in use by process ${process.pid} (preparing web)`,
    });
    await expect(runtime.boxes.prepare("web", { lockTimeoutMs: 0 })).rejects.toMatchObject({
      code: "BOX_IN_USE",
    });
    expect((await stat(box.directory)).isDirectory()).toBe(true);
  });
});

describe("operations", () => {
  test("store their events without gaps, and give those after a number", async () => {
    const { runtime } = await openTestRuntime();
    const events: BoxEvent[] = [];
    const { operation, box } = await runtime.boxes.create({
      image: "app",
      name: "web",
      onEvent: (event) => events.push(event),
    });
    expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, index) => index + 1));
    expect(events.every((event) => event.operation === operation)).toBe(true);
    expect(events[0]?.box).toEqual({ id: box.id, name: "web" });
    expect(await runtime.operations.events(operation)).toEqual(events);
    expect(await runtime.operations.events(operation, { after: 3 })).toEqual(events.slice(3));
  });

  test("can be followed from before their first event to their end, once each", async () => {
    const { runtime, images } = await openTestRuntime();
    const gate = Promise.withResolvers<void>();
    images.gate = gate.promise;
    const begun = Promise.withResolvers<void>();
    const events: BoxEvent[] = [];
    const creating = runtime.boxes.create({
      image: "app",
      name: "web",
      operation: "op-1",
      onEvent: (event) => {
        events.push(event);
        begun.resolve();
      },
    });
    await begun.promise;
    const followed: BoxEvent[] = [];
    for await (const event of runtime.operations.follow("op-1")) {
      followed.push(event);
      gate.resolve();
    }
    await creating;
    expect(followed).toEqual(events);
  });

  test("can be followed by another runtime on the same home", async () => {
    const { runtime, images, home } = await openTestRuntime();
    await using other = await Runtime.open({ home, images: new FakeImages() });
    const gate = Promise.withResolvers<void>();
    images.gate = gate.promise;
    const begun = Promise.withResolvers<void>();
    const creating = runtime.boxes.create({
      image: "app",
      name: "web",
      operation: "op-1",
      onEvent: () => begun.resolve(),
    });
    await begun.promise;
    const sequences: number[] = [];
    for await (const { sequence } of other.operations.follow("op-1", { pollMs: 5 })) {
      sequences.push(sequence);
      gate.resolve();
    }
    await creating;
    expect(sequences.length).toBeGreaterThan(5);
    expect(sequences).toEqual(sequences.map((_, index) => index + 1));
  });

  test("stop being followed when that is asked for, and unknown ones are told", async () => {
    const { runtime } = await openTestRuntime();
    await expect(runtime.operations.get("nope")).rejects.toMatchObject({
      code: "OPERATION_NOT_FOUND",
    });
    await expect(
      runtime.operations.follow("nope", { signal: AbortSignal.abort(new Error("stop")) }).next(),
    ).rejects.toThrow("stop");
    expect(await runtime.operations.list()).toEqual([]);
  });
});

describe("states", () => {
  test("only move along the table", async () => {
    for (const from of boxStates) {
      for (const to of boxStates) {
        const move = () => checkMove("web", from, to);
        if (from === to || legalMoves[from].includes(to)) expect(move).not.toThrow();
        else expect(move).toThrow(expect.objectContaining({ code: "BOX_STATE_ILLEGAL" }));
      }
    }
  });

  test("every state but the last one leads on, and every state is reached", () => {
    expect(legalMoves.removing).toEqual([]);
    const reached = new Set(Object.values(legalMoves).flat());
    expect(boxStates.filter((state) => !reached.has(state))).toEqual(["creating"]);
  });
});

test("a folder with spaces, a line break and other letters works as home", async () => {
  const home = join(await temporaryFolder(), "a b\nç 箱");
  const { runtime } = await openTestRuntime({ home });
  await runtime.boxes.create({ image: "app", name: "web" });
  await expect(runtime.boxes.prepare("web")).resolves.toBeDefined();
});
