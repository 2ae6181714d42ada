import type { LookupAddress } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { OrasError } from "../errors.ts";
import { isWithin, type NetworkZone, zoneOfAddress } from "./network-zone.ts";

/**
 * Resolves names, but only to addresses that are no further in than a limit. A connection is made to what this returns
 * and to nothing else, so that a name that resolves otherwise the next time leads nowhere else.
 */
export function guardLookup(lookup: LookupFunction, limit: NetworkZone): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found, family) => {
      if (error !== null) return callback(error, "", 0);
      const all = addressesOf(found, family);
      const allowed = all.filter(({ address }) => isWithin(zoneOfAddress(address), limit));
      const [first] = allowed;
      if (first === undefined) return callback(tooFarIn(hostname, all[0]?.address), "", 0);
      if (options.all) return callback(null, allowed);
      return callback(null, first.address, first.family);
    });
  };
}

/**
 * The error for a token server that is further in than the registry that names it.
 *
 * @param address - Where it is.
 */
export function tooFarIn(hostname: string, address = "nowhere"): OrasError {
  const zone = zoneOfAddress(address);
  return new OrasError({
    code: "ORAS_REALM_REFUSED",
    message: `cannot ask ${hostname} for a token: its address ${address} is ${zone}, and the registry's is not`,
    details: { host: hostname, address },
    hint: "name it as a token server of this registry if you know that it is right",
  });
}

function addressesOf(
  found: string | readonly LookupAddress[],
  family?: number,
): readonly LookupAddress[] {
  if (typeof found !== "string") return found;
  return [{ address: found, family: family ?? isIP(found) }];
}
