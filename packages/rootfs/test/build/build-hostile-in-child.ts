import { join } from "node:path";
import { BaseCache } from "@box/rootfs";
import { archiveOf, layerOfArchive } from "../merge/layers.ts";
import { escapingLayers } from "./hostile-layers.ts";

/** Builds an image that tries to write to `canary`, in a process whose system calls are watched. */
const [home = "", canary = ""] = process.argv.slice(2);
const cache = new BaseCache({
  directory: join(home, "bases"),
  locksDirectory: join(home, "locks"),
});
const layers = escapingLayers(canary).map((entries) => layerOfArchive(archiveOf(entries)));
const { path } = await cache.ensure({ layers, options: { hasJournal: false } });
process.stdout.write(path);
