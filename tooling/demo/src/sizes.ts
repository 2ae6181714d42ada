const units = ["bytes", "KiB", "MiB", "GiB", "TiB"] as const;

/** A size for people, with at most one decimal: `512 bytes`, `1.5 MiB`. */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${Number(value.toFixed(1))} ${units[unit]}`;
}
