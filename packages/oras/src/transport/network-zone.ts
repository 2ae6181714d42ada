import { BlockList, isIP } from "node:net";

/** Where an address is, from the outside in. */
export type NetworkZone = "public" | "private" | "link-local" | "loopback";

const order: readonly NetworkZone[] = ["public", "private", "link-local", "loopback"];

/** Private means all that others cannot reach: shared addresses, benchmarks and what is reserved too. */
const ipv4: Readonly<Record<Exclude<NetworkZone, "public">, readonly string[]>> = {
  // The unspecified address leads to this machine as well.
  loopback: ["127.0.0.0/8", "0.0.0.0/8"],
  "link-local": ["169.254.0.0/16"],
  private: [
    "10.0.0.0/8",
    "100.64.0.0/10",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/3",
  ],
};

const ipv6: typeof ipv4 = {
  // Teredo's addresses stand for any of IPv4, in a way that no list can tell.
  loopback: ["::1/128", "::/128", "2001::/32"],
  "link-local": ["fe80::/10"],
  private: ["fc00::/7", "fec0::/10", "ff00::/8", "64:ff9b:1::/48"],
};

const lists = new Map(
  (["loopback", "link-local", "private"] as const).map((zone) => [zone, blockList(zone)]),
);

/**
 * Tells where an address is; an IPv6 address that stands for one of IPv4 is where that one is.
 *
 * @param address - An address as the resolver and sockets write it, without brackets.
 */
export function zoneOfAddress(address: string): NetworkZone {
  const [bare = ""] = address.split("%");
  const family = isIP(bare);
  // What is no address may lead anywhere.
  if (family === 0) return "loopback";
  for (const [zone, list] of lists) if (list.check(bare, `ipv${family as 4 | 6}`)) return zone;
  return "public";
}

/** The address that a URL's hostname is, if it is one. */
export function literalOf(hostname: string): string | undefined {
  const bare = hostname.replace(/^\[|\]$/g, "");
  return isIP(bare) === 0 ? undefined : bare;
}

/** Tells whether a zone is no further in than another. */
export function isWithin(zone: NetworkZone, limit: NetworkZone): boolean {
  return order.indexOf(zone) <= order.indexOf(limit);
}

function blockList(zone: keyof typeof ipv4): BlockList {
  const list = new BlockList();
  for (const rule of ipv4[zone]) {
    const [net = "", bits] = rule.split("/");
    // Mapped addresses are matched by the rule itself; compatible and translated ones, NAT64's and 6to4's are not.
    list.addSubnet(net, Number(bits), "ipv4");
    list.addSubnet(`::${net}`, 96 + Number(bits), "ipv6");
    list.addSubnet(`::ffff:0:${net}`, 96 + Number(bits), "ipv6");
    list.addSubnet(`64:ff9b::${net}`, 96 + Number(bits), "ipv6");
    list.addSubnet(`2002:${inHex(net)}::`, 16 + Number(bits), "ipv6");
  }
  for (const rule of ipv6[zone]) {
    const [net = "", bits] = rule.split("/");
    list.addSubnet(net, Number(bits), "ipv6");
  }
  return list;
}

function inHex(address: string): string {
  const bytes = address.split(".").map((part) => Number(part).toString(16).padStart(2, "0"));
  return `${bytes.slice(0, 2).join("")}:${bytes.slice(2).join("")}`;
}
