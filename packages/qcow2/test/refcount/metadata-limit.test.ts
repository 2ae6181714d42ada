import { MemoryFile } from "@box/io";
import { checkImage, createImage, openImage } from "@box/qcow2";
import { expect, it } from "vitest";

const diskBytes = 2 ** 22;
const pieceBytes = 4096;

/** Writes to a new image until its metadata needs more memory than it may, and says what was refused. */
async function fill(maxMetadataBytes: number): Promise<{ file: MemoryFile; refused: string }> {
  const file = new MemoryFile();
  // Such a refcount block counts 64 clusters, and the table has to move at 64 blocks.
  const options = { clusterSizeBytes: 512, refcountBits: 64 } as const;
  await createImage(file, { virtualSizeBytes: diskBytes, ...options });
  let refused = "";
  await using image = await openImage(file, { mode: "rw", limits: { maxMetadataBytes } });
  for (let at = 0; at < diskBytes && refused === ""; at += pieceBytes) {
    await image.write(at, new Uint8Array(pieceBytes).fill(1)).catch((error: unknown) => {
      expect(error).toMatchObject({ code: "QCOW2_METADATA_LIMIT", kind: "limit" });
      refused = String(error);
    });
  }
  await image.close();
  return { file, refused };
}

it("an image whose metadata reaches the limit is sound, whatever was being made", async () => {
  const structures = new Set<string>();
  for (let limit = 240 * 48; limit < 270 * 48; limit += 24) {
    const { file, refused } = await fill(limit);
    structures.add(/the (refcount block|refcount table|L2 table) /.exec(refused)?.[1] ?? "none");
    expect([limit, refused, (await checkImage(file)).findings]).toEqual([limit, refused, []]);
  }
  expect([...structures].sort()).toEqual(["L2 table", "refcount block", "refcount table"]);
});
