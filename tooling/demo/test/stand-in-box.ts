import { mkdir, open, readFile, rename, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openFile } from "@box/io/node";
import { createOverlay } from "@box/qcow2";
import { BoxRunFailed } from "../src/box-command.ts";
import type { StoryOptions } from "../src/story.ts";

/** What the stand-in does wrong. */
export type Fault =
  | "touches a sound guest disk"
  | "touches a sound user's disk"
  | "touches the user's disk as well"
  | "deletes the damaged file"
  | "changes the damaged file"
  | "leaves the damaged file in place"
  | "forgets the base"
  | "has no QEMU"
  | "runs another program";

/** A stand-in for the box command: makes two disks, and makes the guest disk again when it is damaged. */
export function standInBox(home: string, fault?: Fault): StoryOptions["runBox"] {
  const guest = join(home, "guest-rootfs.qcow2");
  const user = join(home, "disk.qcow2");
  const quarantined = join(home, "quarantined.qcow2");
  let history: object[] = [];

  const prepareSound = async (): Promise<void> => {
    if (fault === "touches a sound guest disk") await utimes(guest, 1, 1);
    if (fault === "touches a sound user's disk") await utimes(user, 1, 1);
  };
  const prepareDamaged = async (): Promise<void> => {
    if (fault === "touches the user's disk as well") await utimes(user, 1, 1);
    if (fault === "deletes the damaged file") await rm(guest);
    else {
      history = [{ type: "overlay", quarantinedPath: quarantined }];
      await writeFile(quarantined, await readFile(guest));
    }
    if (fault === "leaves the damaged file in place") return;
    if (fault === "changes the damaged file") await truncate(quarantined, 10);
    await createDisk(guest);
    if (fault === "forgets the base") await rm(`${guest}.base`);
  };

  return async ([command], onLine) => {
    let stdout = "";
    if (command === "create") {
      await mkdir(home);
      for (const path of [guest, user]) await createDisk(path);
      onLine?.("made both disks");
    } else if (command === "inspect") {
      stdout = JSON.stringify({
        disks: { guest: { path: guest }, user: { path: user } },
        history,
      });
    } else if (command === "doctor" && fault === "has no QEMU") {
      const finding = { name: "QEMU", isGood: false, found: "not found", hint: "install it" };
      throw new BoxRunFailed([command], 13, JSON.stringify({ findings: [finding] }));
    } else if (command === "exec") {
      stdout = fault === "runs another program" ? "nothing\n" : "hello from inside\n";
    } else if (command !== "prepare") {
      // Nothing is to be seen of it here.
    } else if (await isDamaged(guest)) {
      await prepareDamaged();
      onLine?.("warning: made the guest disk again");
    } else await prepareSound();
    return { stdout, notes: [], durationMs: 100 };
  };
}

async function createDisk(path: string): Promise<void> {
  const base = `${path}.base`;
  await writeFile(base, "");
  await truncate(base, 1024 * 1024);
  await using file = await openFile(`${path}.new`, { mode: "create" });
  await createOverlay(file, {
    virtualSizeBytes: 1024 * 1024,
    backingName: base,
    backingFormat: "raw",
  });
  await rename(`${path}.new`, path);
}

async function isDamaged(path: string): Promise<boolean> {
  const file = await open(path);
  const { buffer } = await file.read(new Uint8Array(4), 0, 4, 0);
  await file.close();
  return buffer[0] === 0;
}
