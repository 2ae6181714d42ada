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
  const all = await call.storage.referrers(repository, requireDigest(digestText));
  const artifactType = call.query.get("artifactType");
  const fitting = all.filter((one) => artifactType === null || one.artifactType === artifactType);
  const last = call.query.get("last");
  const start = last === null ? 0 : fitting.findIndex(({ digest }) => digest === last) + 1;
  const manifests = fitting.slice(start, start + maxReferrers);
  const end = manifests.at(-1);
  const isMore = end !== undefined && start + maxReferrers < fitting.length;
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

/** Entries of one page of referrers: far below the 4 MiB that clients take. */
const maxReferrers = 100;

interface Page {
  readonly items: readonly string[];
  /** The query of the next page. */
  readonly next?: URLSearchParams;
}

function pageOf(all: readonly string[], query: URLSearchParams): Page {
  const last = query.get("last");
  const n = query.get("n");
  const rest = last === null ? all : all.filter((name) => name > last);
  if (n === null || !/^\d{1,6}$/.test(n)) return { items: rest };
  const items = rest.slice(0, Number(n));
  const end = items.at(-1);
  if (end === undefined || items.length === rest.length) return { items };
  return { items, next: new URLSearchParams({ n, last: end }) };
}

function linkTo(path: string, query: URLSearchParams): Record<string, string> {
  return { link: `<${path}?${query}>; rel="next"` };
}
