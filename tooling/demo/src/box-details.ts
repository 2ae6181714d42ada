import { z } from "zod";

const diskSchema = z.object({ path: z.string() });

const detailsSchema = z.object({
  disks: z.object({ guest: diskSchema, user: diskSchema }),
  history: z.array(z.object({ type: z.string(), quarantinedPath: z.string().optional() })),
});

/** What `box inspect NAME --format json` prints, as far as the demonstration needs it. */
export interface BoxDetails {
  /** Path of the disk with the system that boots. */
  readonly guestDisk: string;
  /** Path of the user's disk. */
  readonly userDisk: string;
  /** Where damaged disks were put aside, oldest first. */
  readonly quarantinedPaths: readonly string[];
}

/**
 * Reads what `box inspect NAME --format json` printed.
 *
 * @throws Error when it is not that.
 */
export function parseBoxDetails(json: string): BoxDetails {
  const { disks, history } = detailsSchema.parse(JSON.parse(json));
  return {
    guestDisk: disks.guest.path,
    userDisk: disks.user.path,
    quarantinedPaths: history.flatMap(({ quarantinedPath }) => quarantinedPath ?? []),
  };
}
