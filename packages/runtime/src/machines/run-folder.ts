import { rm } from "node:fs/promises";
import { toIoError } from "@box/io/node";
import { boxLayout, type HomeLayout } from "../home/layout.ts";

/** Removes what an ended machine of a box left for others. Nothing in it is followed or needed again. */
export async function clearRunFolder(home: HomeLayout, boxId: string): Promise<void> {
  const { run } = boxLayout(home, boxId);
  try {
    await rm(run, { recursive: true, force: true });
  } catch (error) {
    throw toIoError(error, { action: "cannot clear", path: run });
  }
}
