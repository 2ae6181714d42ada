import type { Descriptor } from "../content/descriptor.ts";
import { mediaTypes } from "../content/media-types.ts";
import { type RegistryCall, requireDigest, requireMethod } from "./blobs.ts";
import { RegistryFailure, sendJson } from "./reply.ts";

/** Lists the tags of a repository, by pages when asked. */
export async function handleTags(call: RegistryCall, repository: string): Promise<void> {
  requireMethod(call.request, ["GET"]);
  const all = await call.storage.tags(repository);
  if (all === undefined) throw new RegistryFailure(404, "NAME_UNKNOWN", "no such repository");
  const page = pageOf(all, call.query);
  const headers = page.next === undefined ? {} : linkTo(`/v2/${repository}/tags/list`, page.next);
  sendJson(call.response, 200, { name: repository, tags: page.items }, headers);
}

/** Lists the repositories, by pages when asked. */
export async function handleCatalog(call: RegistryCall): Promise<void> {
  requireMethod(call.request, ["GET"]);
  const page = pageOf(await call.storage.repositories(), call.query);
  const headers = page.next === undefined ? {} : linkTo("/v2/_catalog", page.next);
  sendJson(call.response, 200, { repositories: page.items }, headers);
}

/** Lists the manifests about a manifest; an empty list when there are none. */
export async function handleReferrers(
  call: RegistryCall,
  repository: string,
  digestText: string,
): Promise<void> {
  requireMethod(call.request, ["GET"]);
  const found = await call.storage.referrers(repository, requireDigest(digestText));
  // By digest, so that a list goes on where it was although the last one has been deleted meanwhile.
  const all = found.toSorted((a, b) => compare(a.digest, b.digest));
  const artifactType = call.query.get("artifactType");
  const fitting = all.filter((one) => artifactType === null || one.artifactType === artifactType);
  const last = call.query.get("last");
  const rest = fitting.filter(({ digest }) => last === null || compare(digest, last) > 0);
  const manifests = referrersPage(rest.slice(0, maxReferrers));
  const end = manifests.at(-1);
  const isMore = end !== undefined && manifests.length < rest.length;
  const filter = artifactType === null ? {} : { artifactType };
  const headers: Record<string, string> = {
    ...(artifactType === null ? {} : { "oci-filters-applied": "artifactType" }),
    ...(isMore
      ? linkTo(
          `/v2/${repository}/referrers/${digestText}`,
          new URLSearchParams({ ...filter, last: end.digest }),
        )
      : {}),
  };
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
  sendJson(call.response, 200, index, headers, mediaTypes.ociIndex);
}

/** Entries of one page of referrers, and their bytes, one entry aside: below the 4 MiB that clients take. */
const maxReferrers = 100;
const maxReferrersBytes = 1024 * 1024;

/** As many entries as a page holds; they repeat their manifests' annotations, which may be long. */
function referrersPage(entries: readonly Descriptor[]): readonly Descriptor[] {
  let bytes = 0;
  return entries.filter((entry, index) => {
    bytes += Buffer.byteLength(JSON.stringify(entry));
    return index === 0 || bytes <= maxReferrersBytes;
  });
}

interface Page {
  readonly items: readonly string[];
  /** The query of the next page. */
  readonly next?: URLSearchParams;
}

function pageOf(all: readonly string[], query: URLSearchParams): Page {
  const last = query.get("last");
  const n = query.get("n");
  const sorted = all.toSorted(compareNames);
  const rest = last === null ? sorted : sorted.filter((name) => compareNames(name, last) > 0);
  if (n === null || !/^\d{1,6}$/.test(n)) return { items: rest };
  const items = rest.slice(0, Number(n));
  const end = items.at(-1);
  if (end === undefined || items.length === rest.length) return { items };
  return { items, next: new URLSearchParams({ n, last: end }) };
}

/** The order of the specification: whatever the case; what differs in nothing else by its characters. */
function compareNames(a: string, b: string): number {
  return compare(a.toLowerCase(), b.toLowerCase()) || compare(a, b);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function linkTo(path: string, query: URLSearchParams): Record<string, string> {
  return { link: `<${path}?${query}>; rel="next"` };
}
