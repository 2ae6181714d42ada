import {
  bytes,
  directory,
  file,
  hardlink,
  special,
  symlink,
  type TestEntry,
} from "../merge/layers.ts";

/** Paths that would leave a folder in which somebody unpacked them. `canary` is an absolute path outside the home. */
export function escapingLayers(canary: string): readonly (readonly TestEntry[])[] {
  const up = `${"../".repeat(40)}${canary.slice(1)}`;
  return [
    [
      file(canary, "absolute"),
      file(`//${canary}`, "absolute"),
      file(up, "climbing"),
      symlink("way-out", "/"),
      symlink("up", "../../../../../../.."),
      symlink("to-proc", "/proc/self/root"),
      file(`way-out${canary}-1`, "through a link"),
      file(`up${canary}-2`, "through a link"),
      file(`to-proc${canary}-3`, "through a link"),
      symlink("to-canary", canary),
      file("to-canary", "over a link"),
      hardlink("linked", "way-out"),
      special("dev-null", "char", 1, 3),
      special("disk", "block", 8, 0),
      directory(".wh..wh.plnk"),
    ],
    [
      file(`way-out/.wh.${canary.split("/")[1]}`),
      file(`up/../../.wh.etc`),
      file("way-out/.wh..wh..opq"),
      symlink("loop-a", "loop-b"),
      symlink("loop-b", "loop-a"),
      { entry: { ...file("again", "x").entry, path: bytes("a/../../../b") }, content: bytes("x") },
    ],
  ];
}
