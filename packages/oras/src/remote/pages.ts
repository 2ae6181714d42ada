import type { z } from "zod";
import { readAll } from "../content/verify.ts";
import { OrasError } from "../errors.ts";
import { parseJson } from "../json/parse-json.ts";
import type { RegistryClient, RegistryRequest } from "../transport/client.ts";
import { decodeBody } from "../transport/decode-body.ts";
import type { RegistryResponse } from "../transport/response.ts";
import { parseLinks } from "./links.ts";

/** A listing that comes in pages. */
export interface PagesRequest<Page> {
  /** The first page. */
  readonly request: Omit<RegistryRequest, "method">;
  /** Parses one page. */
  readonly schema: z.ZodType<Page>;
}

/**
 * Reads a listing page by page, by the `Link` that each page gives.
 *
 * @throws {@link OrasError} `ORAS_BAD_RESPONSE` for a page that is malformed, leads elsewhere or was there before.
 */
export async function* readPages<Page>(
  client: RegistryClient,
  pages: PagesRequest<Page>,
): AsyncGenerator<Page, void, undefined> {
  const { request, schema } = pages;
  const { maxPages, maxPageBytes: maxBytes } = client.limits;
  const visited = new Set<string>();
  let target: string | URL | undefined = request.target;
  while (target !== undefined) {
    const url: URL = new URL(target, request.endpoint.origin);
    if (visited.has(url.href) || visited.size >= maxPages) {
      throw badPage(request.what, "its pages do not end");
    }
    visited.add(url.href);
    const response = await client.request({ ...request, target: url, method: "GET" });
    if (response.status !== 200) {
      response.discard();
      return;
    }
    const bytes = await readAll(decodeBody(response), maxBytes, `a page to ${request.what}`);
    const value = parseJson(bytes, { what: "a page of the list", maxBytes });
    const parsed = schema.safeParse(value);
    if (!parsed.success) throw badPage(request.what, "a page is malformed");
    yield parsed.data;
    target = nextPage(response, url, request.what);
  }
}

/** The target of `Link: <URL>; rel="next"` (RFC 8288), on the same origin. */
function nextPage(response: RegistryResponse, url: URL, what: string): URL | undefined {
  const link = response
    .headerLines("link")
    .flatMap(parseLinks)
    .find(({ relations }) => relations.includes("next"));
  if (link === undefined) return undefined;
  const next = URL.parse(link.target, url.href);
  if (next === null || next.origin !== url.origin)
    throw badPage(what, "its next page is elsewhere");
  return next;
}

function badPage(what: string, why: string): OrasError {
  return new OrasError({ code: "ORAS_BAD_RESPONSE", message: `cannot ${what}: ${why}` });
}
