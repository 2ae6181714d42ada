import { type BoxError, isBoxError } from "@box/errors";
import { OrasError, type OrasErrorCode } from "../errors.ts";
import { aborted } from "./pacing.ts";

/** What was being done when a request failed. */
export interface RequestFacts {
  /** HTTP method. */
  readonly method: string;
  /** Where it went. */
  readonly url: URL;
}

interface Verdict {
  readonly code: OrasErrorCode;
  readonly retryable: boolean;
  readonly hint?: string;
}

const wrongProtocolHint =
  "the host may speak plain HTTP; if you trust the network, allow it as an insecure host";

const verdicts: ReadonlyMap<string, Verdict> = new Map<string, Verdict>([
  ["ENOTFOUND", { code: "ORAS_NETWORK", retryable: false, hint: "check the host name" }],
  ["UND_ERR_HEADERS_TIMEOUT", { code: "ORAS_STALLED", retryable: true }],
  ["UND_ERR_BODY_TIMEOUT", { code: "ORAS_STALLED", retryable: true }],
  ["UND_ERR_CONNECT_TIMEOUT", { code: "ORAS_NETWORK", retryable: true }],
  ["UND_ERR_HEADERS_OVERFLOW", { code: "ORAS_BAD_RESPONSE", retryable: false }],
  ["UND_ERR_PRX_TLS", { code: "ORAS_PROXY", retryable: false }],
  ["UND_ERR_PRX_CONN", { code: "ORAS_PROXY", retryable: true }],
  ["EPROTO", { code: "ORAS_TLS", retryable: false, hint: wrongProtocolHint }],
  ["ERR_SSL_WRONG_VERSION_NUMBER", { code: "ORAS_TLS", retryable: false, hint: wrongProtocolHint }],
  [
    "ERR_SSL_PACKET_LENGTH_TOO_LONG",
    { code: "ORAS_TLS", retryable: false, hint: wrongProtocolHint },
  ],
]);

/**
 * Turns a failure below HTTP into a typed error; typed errors pass unchanged.
 *
 * @param signal - When it has aborted, the error is `ORAS_ABORTED`.
 */
export function toNetworkError(
  error: unknown,
  facts: RequestFacts,
  signal?: AbortSignal,
): BoxError {
  // A file that is sent may fail too.
  if (isBoxError(error)) return error;
  if (signal?.aborted) return aborted(signal);
  const cause = rootCause(error);
  const name = codeOf(cause);
  const verdict = proxyVerdict(cause) ?? verdicts.get(name) ?? defaultVerdict(name);
  return new OrasError({
    code: verdict.code,
    message: `cannot ${facts.method} ${redactUrl(facts.url)}: ${messageOf(cause)}`,
    details: {
      host: facts.url.host,
      method: facts.method,
      url: redactUrl(facts.url),
      reason: name,
    },
    retryable: verdict.retryable,
    ...(verdict.hint === undefined ? {} : { hint: verdict.hint }),
    cause: error,
  });
}

/** A URL fit for messages: no user, no password, no query. */
export function redactUrl(url: URL): string {
  return `${url.origin}${url.pathname}${url.search === "" ? "" : "?..."}`;
}

/** What a proxy refuses comes as a message only. */
function proxyVerdict(cause: unknown): Verdict | undefined {
  const text = cause instanceof Error ? cause.message : "";
  const status =
    /^Proxy response \((\d+)\)/.exec(text)?.[1] ?? /^Proxy .* \((407)\)$/.exec(text)?.[1];
  if (status === undefined) return undefined;
  const hint =
    status === "407"
      ? "the proxy wants to know who you are: write http://USER:PASSWORD@HOST:PORT"
      : "the proxy does not let this host through; check its rules and the exceptions from it";
  return { code: "ORAS_PROXY", retryable: status.startsWith("5"), hint };
}

function defaultVerdict(name: string): Verdict {
  if (name.startsWith("HPE_") || name === "HTTPParserError") {
    return { code: "ORAS_BAD_RESPONSE", retryable: true };
  }
  if (/CERT|TLS|SELF_SIGNED|UNABLE_TO_/.test(name)) {
    return {
      code: "ORAS_TLS",
      retryable: false,
      hint: "name the authority that signed the certificate, or allow the host as insecure",
    };
  }
  return { code: "ORAS_NETWORK", retryable: true };
}

function rootCause(error: unknown): unknown {
  const parts = error instanceof AggregateError ? error.errors : [];
  return parts[0] ?? error;
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  const { code } = error as { code?: unknown };
  // The library's parser gives some of its errors a name only.
  return typeof code === "string" ? code : error.name;
}

function messageOf(error: unknown): string {
  if (isBoxError(error)) return error.message;
  const text = error instanceof Error ? error.message : String(error);
  return text === "" ? codeOf(error) : text;
}
