import { isRepository } from "../content/reference.ts";
import type { NeededAccess } from "./access.ts";
import { RegistryFailure } from "./reply.ts";

/** What a path below `/v2/` names. */
export type Route =
  | { readonly type: "base" }
  | { readonly type: "catalog" }
  | { readonly type: "blob"; readonly repository: string; readonly digest: string }
  | { readonly type: "uploads"; readonly repository: string }
  | { readonly type: "upload"; readonly repository: string; readonly id: string }
  | { readonly type: "manifest"; readonly repository: string; readonly reference: string }
  | { readonly type: "tags"; readonly repository: string }
  | { readonly type: "referrers"; readonly repository: string; readonly digest: string };

/** Parses a path; a repository's name may have any number of parts, so it is read from its end. */
export function parseRoute(path: string): Route {
  if (path === "/v2/" || path === "/v2") return { type: "base" };
  if (!path.startsWith("/v2/")) throw unknown();
  const parts = path.slice(4).split("/").map(decodePart);
  if (parts.length === 1 && parts[0] === "_catalog") return { type: "catalog" };
  const last = parts.at(-1) ?? "";
  const verb = parts.at(-2);
  if (verb === "uploads" && parts.at(-3) === "blobs") {
    const repository = nameOf(parts.slice(0, -3));
    return last === "" ? { type: "uploads", repository } : { type: "upload", repository, id: last };
  }
  const repository = nameOf(parts.slice(0, -2));
  if (verb === "blobs") {
    return last === "uploads"
      ? { type: "uploads", repository }
      : { type: "blob", repository, digest: last };
  }
  if (verb === "manifests") return { type: "manifest", repository, reference: last };
  if (verb === "tags" && last === "list") return { type: "tags", repository };
  if (verb === "referrers") return { type: "referrers", repository, digest: last };
  throw unknown();
}

/** What a request to a path needs; a mount also reads from another repository. */
export function neededAccess(
  route: Route,
  method: string,
  query: URLSearchParams,
): readonly NeededAccess[] {
  if (route.type === "catalog") return [{ repository: "", action: "list" }];
  if (!("repository" in route)) return [];
  const { repository } = route;
  const isUpload = route.type === "uploads" || route.type === "upload";
  if (isUpload) {
    const from = query.get("from");
    const source = query.has("mount") && from !== null && isRepository(from) ? [from] : [];
    const reads = source.map((name): NeededAccess => ({ repository: name, action: "pull" }));
    return [{ repository, action: "push" }, ...reads];
  }
  if (method === "GET" || method === "HEAD") return [{ repository, action: "pull" }];
  return [{ repository, action: method === "DELETE" ? "delete" : "push" }];
}

function nameOf(parts: readonly string[]): string {
  const name = parts.join("/");
  if (!isRepository(name))
    throw new RegistryFailure(400, "NAME_INVALID", "invalid repository name");
  return name;
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw unknown();
  }
}

function unknown(): RegistryFailure {
  return new RegistryFailure(404, "NAME_UNKNOWN", "no such endpoint");
}
