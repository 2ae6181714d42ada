/** A JSON value, with sizes above 2^53 as `bigint`. */
export type QemuJson =
  | string
  | number
  | bigint
  | boolean
  | readonly QemuJson[]
  | { readonly [key: string]: QemuJson };
