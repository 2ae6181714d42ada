/** What a prune looks at. */
export type PrunedKind = "image" | "base" | "quarantine" | "temporary";

/** Something that was removed, or would be. */
export interface PrunedItem {
  /** What it is. */
  readonly kind: PrunedKind;
  /** Digest of a blob, key of a base, path of a file. */
  readonly name: string;
  /** What its removal gives back, in bytes. */
  readonly bytes: number;
  /** Why it may go. */
  readonly reason: string;
}

/** Something that stays. */
export interface KeptItem {
  /** What it is. */
  readonly kind: PrunedKind;
  /** Name of an image, digest of a blob, key of a base, path of a file. */
  readonly name: string;
  /** What it occupies, in bytes. */
  readonly bytes: number;
  /** Why it stays: at least one reason. */
  readonly reasons: readonly string[];
}

/** What a prune did, or would do. */
export interface PruneReport {
  /** Whether nothing was removed. */
  readonly dryRun: boolean;
  /** What was removed, or would be. */
  readonly removed: readonly PrunedItem[];
  /** What stays, and why. */
  readonly kept: readonly KeptItem[];
  /** What that gave back, or would, in bytes. */
  readonly freedBytes: number;
}

/** Options of a prune. */
export interface PruneOptions {
  /** Removes nothing and tells what would go. */
  readonly dryRun?: boolean;
  /** Quarantined disks that were moved aside at least this long ago go too; none unless given. */
  readonly quarantineOlderThanMs?: number;
  /** Blobs of no image that came more recently stay, as somebody may be about to name them; an hour unless given. */
  readonly imageGraceMs?: number;
  /** Stops between two removals; what is gone by then stays gone. */
  readonly signal?: AbortSignal;
}

/** Collects what a prune did. */
export class PruneNotes {
  readonly removed: PrunedItem[] = [];
  readonly kept: KeptItem[] = [];

  /** Notes what goes. */
  remove(kind: PrunedKind, name: string, bytes: number, reason: string): void {
    this.removed.push({ kind, name, bytes, reason });
  }

  /** Notes what stays. */
  keep(kind: PrunedKind, name: string, bytes: number, reasons: readonly string[]): void {
    this.kept.push({ kind, name, bytes, reasons });
  }

  /** All of it. */
  report(dryRun: boolean): PruneReport {
    const { removed, kept } = this;
    const freedBytes = removed.reduce((sum, { bytes }) => sum + bytes, 0);
    return { dryRun, removed, kept, freedBytes };
  }
}
