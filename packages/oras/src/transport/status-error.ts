import * as z from "zod";
import { readAll } from "../content/verify.ts";
import { OrasError, type OrasErrorCode } from "../errors.ts";
import { parseJson } from "../json/parse-json.ts";
import { decodeBody } from "./decode-body.ts";
import { redactUrl } from "./network-error.ts";
import type { RegistryLimits } from "./registry-limits.ts";
import type { RegistryResponse } from "./response.ts";

/** Statuses that may pass when the same request is sent again. */
export const retryableStatuses: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

const errorBodySchema = z.lazy(() =>
  z.looseObject({
    errors: z.array(z.looseObject({ code: z.string().optional(), message: z.string().optional() })),
  }),
);

/** Reads a reply that reports a failure and turns it into a typed error. */
export async function toStatusError(
  response: RegistryResponse,
  method: string,
  what: string,
  limits: Pick<RegistryLimits, "maxErrorBodyBytes">,
): Promise<OrasError> {
  const { status, url } = response;
  const reported = await readReportedError(response, limits.maxErrorBodyBytes);
  const said = reported === undefined ? "" : ` (${reported})`;
  const requestId = response.header("x-request-id") ?? response.header("docker-request-id");
  const hint = hints[status];
  const retryAfter = response.header("retry-after");
  return new OrasError({
    code: codeOf(status),
    message: `cannot ${what}: ${url.host} replied with status ${status}${said}`,
    details: {
      host: url.host,
      method,
      url: redactUrl(url),
      status,
      ...(reported === undefined ? {} : { reported }),
      ...(requestId === undefined ? {} : { requestId }),
      ...(retryAfter === undefined ? {} : { retryAfter: retryAfter.slice(0, 100) }),
    },
    retryable: retryableStatuses.has(status),
    ...(hint === undefined ? {} : { hint }),
  });
}

const hints: Readonly<Record<number, string>> = {
  401: "log in to the registry; some registries also answer this for a repository that does not exist",
  403: "the account may not do this; check the repository's name and its rights",
  404: "check the repository's name and the tag",
  429: "wait, or log in: most registries allow more to known users",
};

function codeOf(status: number): OrasErrorCode {
  if (status === 401) return "ORAS_AUTH_REQUIRED";
  if (status === 403) return "ORAS_AUTH_DENIED";
  if (status === 404) return "OCI_NOT_FOUND";
  if (status === 407) return "ORAS_PROXY";
  if (status === 429) return "ORAS_RATE_LIMITED";
  return "ORAS_HTTP_STATUS";
}

/** The registry's own words, or nothing: an unreadable error body never hides the status. */
async function readReportedError(
  response: RegistryResponse,
  maxBytes: number,
): Promise<string | undefined> {
  try {
    const bytes = await readAll(decodeBody(response), maxBytes, "the error's body");
    const parsed = errorBodySchema.safeParse(
      parseJson(bytes, { what: "the error's body", maxBytes }),
    );
    const first = parsed.data?.errors[0];
    const text = [first?.code, first?.message].filter((part) => part !== undefined).join(": ");
    return text === "" ? undefined : printable(text.slice(0, 300));
  } catch {
    return undefined;
  } finally {
    response.discard();
  }
}

/** Control characters of a hostile registry must not reach a terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, " ");
}
