import { chownSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { BaseCache } from "@box/rootfs";
import { archiveOf, layerOfArchive } from "../merge/layers.ts";
import { sampleLayers } from "../merge/sample-layers.ts";

/**
 * Builds the sample image into a home, as another user and at another time where that is asked for, and prints the
 * digest of the base. Everything is loaded before the user changes: that one may not see the sources.
 */
const [folder = "", user = "", clockOffsetMs = "0"] = process.argv.slice(2);
const now = Date.now;
Date.now = () => now() + Number(clockOffsetMs);
const home = join(folder, "home");
mkdirSync(home, { mode: 0o700 });
if (user !== "") {
  chownSync(home, Number(user), Number(user));
  process.setgroups?.([]);
  process.setgid?.(Number(user));
  process.setuid?.(Number(user));
}
// What the caller forbids new files must not show either.
process.umask(user === "" ? 0o022 : 0o077);
const { BOX_TEST_COPIES: copies = "1", BOX_TEST_CHUNK: chunkBytes = "12345" } = process.env;
const layers = sampleLayers.map((entries) =>
  layerOfArchive(archiveOf(entries), Number(chunkBytes)),
);
const builds = Array.from({ length: Number(copies) }, (_, copy) => {
  const cache = new BaseCache({
    directory: join(home, `bases-${copy}`),
    locksDirectory: join(home, `locks-${copy}`),
  });
  return [cache.ensure({ layers }), cache.ensure({ layers, options: { hasJournal: false } })];
});
const bases = await Promise.all(builds.flat());
process.stdout.write(
  JSON.stringify({
    uid: process.getuid?.(),
    year: new Date(Date.now()).getUTCFullYear(),
    digests: bases.map(({ digest }) => digest),
  }),
);
