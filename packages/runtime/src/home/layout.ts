import { join } from "node:path";

/** Where everything of a home lies. All paths are absolute and canonical. */
export interface HomeLayout {
  /** The home itself. */
  readonly root: string;
  /** The file that tells the format of the home. */
  readonly version: string;
  /** The state database. */
  readonly state: string;
  /** The image store, an OCI image layout. */
  readonly images: string;
  /** Read-only base disks. */
  readonly bases: string;
  /** One folder for each box. */
  readonly boxes: string;
  /** Lock files. */
  readonly locks: string;
  /** Staging on the same file system. */
  readonly tmp: string;
}

/** Where everything of a box lies. */
export interface BoxLayout {
  /** The box's own folder. */
  readonly root: string;
  /** Both disks. */
  readonly disks: string;
  /** The user's disk. */
  readonly userDisk: string;
  /** The disk of the system that boots. */
  readonly guestDisk: string;
  /** Output of the box's programs. */
  readonly logs: string;
  /** What a running box leaves for others to find it. */
  readonly run: string;
  /** Corrupt overlays, moved aside. */
  readonly quarantine: string;
}

/** Names the places in a home. */
export function homeLayout(root: string): HomeLayout {
  return {
    root,
    version: join(root, "version"),
    state: join(root, "state.db"),
    images: join(root, "images"),
    bases: join(root, "bases"),
    boxes: join(root, "boxes"),
    locks: join(root, "locks"),
    tmp: join(root, "tmp"),
  };
}

/** Names the places of a box in a home. */
export function boxLayout(home: HomeLayout, id: string): BoxLayout {
  const root = join(home.boxes, id);
  const disks = join(root, "disks");
  return {
    root,
    disks,
    userDisk: join(disks, "disk.qcow2"),
    guestDisk: join(disks, "guest-rootfs.qcow2"),
    logs: join(root, "logs"),
    run: join(root, "run"),
    quarantine: join(root, "quarantine"),
  };
}

/** The lock file of a box. */
export function boxLockPath(home: HomeLayout, id: string): string {
  return join(home.locks, `box-${id}.lock`);
}

/** Held by whoever starts the state or removes the locks of boxes that are gone. */
export function stateLockPath(home: HomeLayout): string {
  return join(home.locks, "state.lock");
}
