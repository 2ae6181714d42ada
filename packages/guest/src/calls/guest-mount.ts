import { CallBatch, lastingWord, scratchAddress, type Word } from "./call-batch.ts";
import { CallFailure } from "./call-failure.ts";
import type { Caller, CallResult } from "./caller.ts";
import { configureCard } from "./guest-network.ts";
import { fromRoot, noFollow, openFlags, resolveBelow } from "./guest-paths.ts";
import { askUserFiles, type UserFiles, userFilesOf } from "./guest-users.ts";
import { numbersAt, Steps } from "./steps.ts";

/** How a guest is made ready for commands. */
export interface MountRequest {
  /** Where the system that boots is. */
  readonly guestRootfs: "initramfs" | "disk";
  /** Serial of the box's disk. */
  readonly boxSerial: string;
  /** Serial of the disk of the system that boots; empty with `initramfs`. */
  readonly guestSerial: string;
  /** Whether the box's disk is mounted read-only. */
  readonly isReadOnly: boolean;
  /** Whether the box's file system grows to the size of its disk. */
  readonly grows: boolean;
  /** Whether the guest has a card of QEMU's user-mode network, which it is to use. */
  readonly hasNetwork: boolean;
  /** The host's time in nanoseconds since 1970. */
  readonly timeNs: bigint;
  /** 64 random bytes. */
  readonly seed: Uint8Array;
  /** The host name that the guest gets. */
  readonly hostname: string;
  /** Files of `/etc` that the box and the system that boots see in place of theirs: names without a slash, and what they say. */
  readonly etc: readonly (readonly [name: string, text: string])[];
}

/** Something that mounting did not do and that the guest goes on without. */
export interface MountWarning {
  /** What was tried, such as `grow` or `dev`. */
  readonly step: string;
  /** Linux error number. */
  readonly errno: number;
}

/** What came of it. */
export interface MountedGuest {
  /** What is not as asked. */
  readonly warnings: readonly MountWarning[];
  /** What the box says of its users, read on the way. */
  readonly users: UserFiles;
}

/** Descriptors of the namespaces that the boot has made. */
const spaces = { box: 4, guest: 5 } as const;
const newMounts = 0x20000;
/** `CLONE_NEWNS` of `setns`; `OPEN_TREE_CLONE`, `AT_RECURSIVE`; both ends of `move_mount` are the descriptors themselves. */
const clone = 1;
const recursive = 0x8000;
const bothThemselves = 0x44;
const readOnly = 1;
const truncate = 0o1000;
const move = 0x2000;
const addEntropy = 0x4008_5203;
const reseed = 0x5207;
const deviceBytes = 0x8008_1272;
const resizeExt4 = 0x4008_6610;
const superblockAt = 1024;
const superblockBytes = 1024;
const deviceNameBytes = 304;
const howBytes = 24;
const noDevice = 6;

/**
 * Seeds and names a guest and mounts its disks. Random numbers, clock and name come first: guests that go on from one saved state are
 * alike until then. A box's file system grows before anything is made in it: one as small as its image may have no space for that.
 *
 * @param caller - Carries calls out where the agent is.
 * @throws CallFailure `no-disk`, `mount`.
 */
export async function mountGuest(caller: Caller, request: MountRequest): Promise<MountedGuest> {
  const { boxSerial, guestSerial, isReadOnly, hasNetwork, etc } = request;
  const warnings: MountWarning[] = [];
  let steps = new Steps(new CallBatch());
  introduce(steps, request);
  if (hasNetwork) configureCard(steps);
  const box = new MountedDisk(steps, { space: spaces.box, place: "/box", serial: boxSerial });
  box.mount(isReadOnly ? readOnly : 0);
  if (request.grows && !isReadOnly) {
    const size = box.askSize();
    const results = await caller.run(steps.batch);
    warnings.push(...steps.warnings(results), ...(await grow(caller, box.root, results, size)));
    steps = new Steps(new CallBatch());
    box.goOn(steps);
  }
  box.openEtc();
  for (const [name, text] of etc) box.layOver(name, text, true);
  box.moveSystem(["sys", "dev", ...(isReadOnly ? ["run"] : []), "proc"], true);
  const tree = request.guestRootfs === "disk" ? box.cloneTree() : undefined;
  box.becomeRoot();
  const asked = askUserFiles(steps.batch);
  if (tree !== undefined) {
    const place = "/guest";
    const guest = new MountedDisk(steps, { space: spaces.guest, place, serial: guestSerial });
    guest.mount(0);
    guest.openEtc();
    for (const [name, text] of etc) guest.layOver(name, text, false);
    guest.moveSystem(["sys", "dev", "run", "proc"], false);
    guest.takeTree(tree);
    guest.becomeRoot();
  }
  const results = await caller.run(steps.batch);
  warnings.push(...steps.warnings(results));
  return { warnings, users: await userFilesOf(caller, results, asked) };
}

function introduce(steps: Steps, { seed, timeNs, hostname }: MountRequest): void {
  const { batch } = steps;
  const random = batch.word();
  const entropy = new Uint8Array(8 + seed.byteLength);
  new DataView(entropy.buffer).setUint32(0, seed.byteLength * 8, true);
  new DataView(entropy.buffer).setUint32(4, seed.byteLength, true);
  entropy.set(seed, 8);
  const how = batch.numbers(openFlags.write | openFlags.closeOnExec, 0, 0);
  const name = new TextEncoder().encode(hostname);
  const second = 1_000_000_000n;
  steps.optional("seed", () => [
    batch.call("openat2", [fromRoot, batch.text("/dev/urandom"), how, howBytes], { into: random }),
    batch.call("ioctl", [random, addEntropy, batch.data(entropy)]),
    batch.call("ioctl", [random, reseed, 0]),
    batch.call("close", [random]),
  ]);
  steps.optional("clock", () => [
    batch.call("clock_settime", [0, batch.numbers(timeNs / second, timeNs % second)]),
  ]);
  steps.optional("hostname", () => [
    batch.call("sethostname", [batch.data(name), name.byteLength]),
  ]);
}

interface DiskOptions {
  readonly space: number;
  readonly place: "/box" | "/guest";
  readonly serial: string;
}

/** A disk on its way to be the root of a namespace. Nothing has it open before, so that nothing of it is remembered, in a saved machine too. */
class MountedDisk {
  readonly root: Word;
  #steps: Steps;
  #etc: Word;
  readonly #options: DiskOptions;
  readonly #device: number;

  constructor(steps: Steps, options: DiskOptions) {
    this.#steps = steps;
    this.#options = options;
    this.root = lastingWord(options.space);
    this.#device = steps.batch.data(new Uint8Array(deviceNameBytes));
    this.#etc = steps.batch.word();
  }

  /** What comes next is of another batch. */
  goOn(steps: Steps): void {
    this.#steps = steps;
    this.#etc = steps.batch.word();
  }

  /** Opens its /etc, which is made if need be. */
  openEtc(): void {
    this.#steps.openFolder(this.root, "etc", this.#etc);
  }

  /** Enters its namespace, finds it and mounts it. */
  mount(flags: number): void {
    const { batch } = this.#steps;
    const { space, place, serial } = this.#options;
    const entering = `cannot enter the namespace of ${serial}`;
    batch.call("setns", [space, newMounts], { what: entering, failure: "mount" });
    const link = [fromRoot, batch.text(`/by/${serial}`), this.#device, deviceNameBytes - 1];
    const missing = `no disk has the serial ${serial}`;
    batch.call("readlinkat", link, { what: missing, failure: "no-disk", errno: noDevice });
    const mounting = `cannot mount the disk ${serial}`;
    const values = [this.#device, batch.text(place), batch.text("ext4"), flags, batch.text("")];
    batch.call("mount", values, { what: mounting, failure: "mount" });
    const how = batch.numbers(openFlags.read | openFlags.closeOnExec, 0, 0);
    const opening = `cannot open the file system of ${serial}`;
    const root = [fromRoot, batch.text(`${place}/`), how, howBytes];
    batch.call("openat2", root, { into: this.root, what: opening, failure: "mount" });
  }

  /** Asks how large it is, and how large its file system is. @returns Places of the results. */
  askSize(): readonly number[] {
    const { batch } = this.#steps;
    const disk = batch.word();
    const how = batch.numbers(openFlags.read | openFlags.closeOnExec, 0, 0);
    const goesOn = "always";
    const bytes = { address: scratchAddress, length: 8 };
    const block = { address: scratchAddress, length: "result" } as const;
    const read = [disk, scratchAddress, superblockBytes, superblockAt];
    const asked = [
      batch.call("openat2", [fromRoot, this.#device, how, howBytes], { into: disk, goesOn }),
      batch.call("ioctl", [disk, deviceBytes, scratchAddress], { tells: bytes, goesOn }),
      batch.call("pread64", read, { tells: block, goesOn }),
    ];
    batch.call("close", [disk], { goesOn });
    return asked;
  }

  /**
   * Lays a file in memory over one of /etc, over a link too, which is not followed. One that is missing gets an empty file to mount over,
   * as with docker. The guest's own system does without what it has no space for.
   */
  layOver(name: string, text: string, isTold: boolean): void {
    const { batch } = this.#steps;
    const [source, tree, place] = [batch.word(), batch.word(), batch.word()];
    const bytes = new TextEncoder().encode(text);
    const path = batch.text(`/${name}`);
    const flags = openFlags.write | openFlags.create | openFlags.closeOnExec | truncate;
    const make = openFlags.create | openFlags.exclusive | openFlags.closeOnExec;
    const named = batch.text(name);
    const how = batch.numbers(flags, 0o644, 0);
    const making = batch.numbers(make, 0o644, resolveBelow);
    const cloning = [fromRoot, path, clone | openFlags.closeOnExec];
    const looking = [this.#etc, named, noFollow | openFlags.closeOnExec];
    this.#steps.optional(isTold ? name : undefined, () => {
      batch.call("open_tree", looking, { into: place });
      return [
        batch.call("openat2", [fromRoot, path, how, howBytes], { into: source }),
        batch.call("write", [source, batch.data(bytes), bytes.byteLength]),
        batch.call("openat2", [this.#etc, named, making, howBytes], { into: place, unless: place }),
        batch.call("open_tree", cloning, { into: tree }),
        this.#steps.moveMount(tree, place),
      ];
    });
    this.#steps.close(source, tree, place);
  }

  /** Moves what was mounted for its namespace when that was made into it. What leads to the others is in /proc, which comes last. */
  moveSystem(names: readonly string[], isTold: boolean): void {
    const { batch } = this.#steps;
    for (const name of names) {
      const [source, place] = [batch.word(), batch.word()];
      this.#steps.optional(isTold ? name : undefined, () => [
        ...this.#steps.openFolder(this.root, name, place),
        batch.call("open_tree", [fromRoot, batch.text(`/${name}`), openFlags.closeOnExec], {
          into: source,
        }),
        this.#steps.moveMount(source, place),
      ]);
      this.#steps.close(source, place);
    }
  }

  /** All that is mounted at its place, once more. */
  cloneTree(): Word {
    const { batch } = this.#steps;
    const tree = batch.word();
    const flags = clone | recursive | openFlags.closeOnExec;
    const what = "the guest's system has no place for the box";
    const values = [fromRoot, batch.text(this.#options.place), flags];
    batch.call("open_tree", values, { into: tree, what, failure: "mount" });
    return tree;
  }

  /** Tools of the guest's system see the box there. A disk of an image may have no space for a folder more; /run is in memory. */
  takeTree(tree: Word): void {
    const { batch } = this.#steps;
    const place = batch.word();
    const what = "the guest's system has no place for the box";
    this.#steps.openFolder(this.root, "box", place);
    this.#steps.openFolder(this.root, "run/box", place);
    const empty = batch.text("");
    const values = [tree, empty, place, empty, bothThemselves];
    batch.call("move_mount", values, { what, failure: "mount" });
    this.#steps.close(tree, place);
  }

  /** By its path: descriptors stay in the namespace that they come from. */
  becomeRoot(): void {
    const { batch } = this.#steps;
    const { place, serial } = this.#options;
    const options = {
      what: `cannot enter the file system of ${serial}`,
      failure: "mount",
    } as const;
    const here = batch.text(".");
    batch.call("chdir", [batch.text(place)], options);
    batch.call("mount", [here, batch.text("/"), 0, move, 0], options);
    batch.call("chroot", [here], options);
  }
}

/** One that cannot grow is not asked to: that would write its journal out. */
async function grow(
  caller: Caller,
  root: Word,
  results: readonly CallResult[],
  [opened = 0, size = 0, block = 0]: readonly number[],
): Promise<readonly MountWarning[]> {
  const failed = [opened, size, block]
    .map((at) => results[at]?.value ?? 0)
    .find((value) => value < 0);
  if (failed !== undefined) return [{ step: "grow", errno: -failed }];
  const [bytes, superblock] = [numbersAt(results, size), numbersAt(results, block)];
  if (superblock.byteLength < superblockBytes)
    throw new CallFailure("mount", 5, "a disk is too short");
  // s_blocks_count is at 4 and 0x150, s_log_block_size at 24.
  const shift = BigInt(10 + (superblock.getUint8(24) % 16));
  const low = BigInt(superblock.getUint32(4, true));
  const has = low | (BigInt(superblock.getUint32(0x150, true)) << 32n);
  const blocks = bytes.getBigUint64(0, true) >> shift;
  if (blocks === has) return [];
  const batch = new CallBatch();
  const resized = batch.call("ioctl", [root, resizeExt4, batch.numbers(blocks)], {
    goesOn: "always",
  });
  const errno = -((await caller.run(batch))[resized]?.value ?? 0);
  return errno > 0 ? [{ step: "grow", errno }] : [];
}
