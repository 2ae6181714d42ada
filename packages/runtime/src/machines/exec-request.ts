import type { EnvironmentEntry, ExecRequest } from "@box/vm";
import type { BoxRecord, ImageConfig } from "../boxes/box.ts";

/** A command with what the image says about running programs where the request says nothing. */
export function completeRequest(
  { imageConfig, guestRootfs }: Pick<BoxRecord, "imageConfig" | "guestRootfs">,
  request: ExecRequest,
): ExecRequest {
  const own = request.environment ?? [];
  if (request.target === "guest") {
    const guest = guestRootfs.type === "disk" ? (guestRootfs.environment ?? []) : [];
    return { ...request, environment: merge(guest, own) };
  }
  const {
    environment = [],
    workingDirectory = "",
    user = "",
  }: Partial<ImageConfig> = imageConfig ?? {};
  return {
    ...request,
    environment: merge(environment, own),
    setsHome: request.setsHome ?? true,
    workingDirectory: request.workingDirectory ?? (workingDirectory || "/"),
    user: request.user ?? (user || "root"),
  };
}

/** Later entries take the place of earlier ones of the same name. */
function merge(
  first: readonly EnvironmentEntry[],
  second: readonly EnvironmentEntry[],
): readonly EnvironmentEntry[] {
  return [...new Map([...first, ...second])];
}
