/** The times that an inode can hold, in seconds: 1901-12-13 to 2446-05-10. */
export const timeRange: { readonly min: number; readonly max: number } = {
  min: -(2 ** 31),
  max: 2 ** 34 - 2 ** 31 - 1,
};

/** The two words of a time in an inode. */
export interface TimeWords {
  /** The low 32 bits of the seconds. */
  readonly seconds: number;
  /** Nanoseconds in the upper 30 bits, two more bits of the seconds below. */
  readonly extra: number;
}

/** Encodes a time; one out of range becomes the nearest in range. */
export function encodeTime(seconds: number, nanoseconds: number): TimeWords {
  if (seconds < timeRange.min) return encodeTime(timeRange.min, 0);
  if (seconds > timeRange.max) return encodeTime(timeRange.max, 0);
  const low = seconds | 0;
  const epoch = (seconds - low) / 2 ** 32;
  return { seconds: low >>> 0, extra: ((nanoseconds << 2) | epoch) >>> 0 };
}

/** Decodes a time. */
export function decodeTime({ seconds, extra }: TimeWords): {
  readonly seconds: number;
  readonly nanoseconds: number;
} {
  return { seconds: (seconds | 0) + (extra & 3) * 2 ** 32, nanoseconds: extra >>> 2 };
}
