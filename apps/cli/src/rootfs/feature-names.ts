/** Names of feature bits as `dumpe2fs` prints them, by bit. */
const names: readonly ReadonlyMap<number, string>[] = [
  new Map([
    [0x4, "has_journal"],
    [0x8, "ext_attr"],
    [0x10, "resize_inode"],
    [0x20, "dir_index"],
    [0x200, "sparse_super2"],
    [0x400, "fast_commit"],
    [0x1000, "orphan_file"],
  ]),
  new Map([
    [0x2, "filetype"],
    [0x4, "needs_recovery"],
    [0x10, "meta_bg"],
    [0x40, "extent"],
    [0x80, "64bit"],
    [0x100, "mmp"],
    [0x200, "flex_bg"],
    [0x400, "ea_inode"],
    [0x2000, "metadata_csum_seed"],
    [0x4000, "large_dir"],
    [0x8000, "inline_data"],
    [0x10000, "encrypt"],
    [0x20000, "casefold"],
  ]),
  new Map([
    [0x1, "sparse_super"],
    [0x2, "large_file"],
    [0x8, "huge_file"],
    [0x10, "uninit_bg"],
    [0x20, "dir_nlink"],
    [0x40, "extra_isize"],
    [0x100, "quota"],
    [0x200, "bigalloc"],
    [0x400, "metadata_csum"],
    [0x1000, "read-only"],
    [0x2000, "project"],
    [0x8000, "verity"],
    [0x10000, "orphan_present"],
  ]),
];
const words = ["compat", "incompat", "ro_compat"];

/** Names of the features in the three words of a superblock, in their order there. */
export function featureNames(features: readonly number[]): string[] {
  return features.flatMap((word, index) => {
    const found: string[] = [];
    for (let bit = 0; bit < 32; bit++) {
      const value = 2 ** bit;
      if (Math.floor(word / value) % 2 === 0) continue;
      found.push(names[index]?.get(value) ?? `${words[index]}:0x${value.toString(16)}`);
    }
    return found;
  });
}
