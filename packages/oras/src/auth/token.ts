import * as z from "zod";
import { readAll } from "../content/verify.ts";
import { OrasError } from "../errors.ts";
import { parseJson } from "../json/parse-json.ts";
import { decodeBody } from "../transport/decode-body.ts";
import type { ExchangeRequest } from "../transport/exchange.ts";
import type { RegistryLimits } from "../transport/registry-limits.ts";
import type { RegistryResponse } from "../transport/response.ts";
import { toStatusError } from "../transport/status-error.ts";
import { basicHeader, type Credentials } from "./credentials.ts";

/** What a token is asked for. */
export interface TokenRequest {
  /** The token server. */
  readonly realm: URL;
  /** The service that the challenge names. */
  readonly service?: string;
  /** What the token shall allow, sorted. */
  readonly scopes: readonly string[];
  /** Who asks; nobody for an anonymous token. */
  readonly credentials?: Credentials;
  /** How much is read of replies. */
  readonly limits: Pick<RegistryLimits, "maxTokenBytes" | "maxErrorBodyBytes">;
  /** Stops the request. */
  readonly signal?: AbortSignal;
}

/** A token and how long it may be used. */
export interface Token {
  /** The value after `Bearer`. */
  readonly value: string;
  /** Life from now in milliseconds. */
  readonly lifeMs: number;
}

/** Sends a request without registry authorization. */
export type SendPlain = (request: ExchangeRequest, what: string) => Promise<RegistryResponse>;

const clientId = "box";

/** A server that lacks the POST form answers with one of these, as containerd knows. */
const postUnsupported: ReadonlySet<number> = new Set([400, 401, 404, 405]);

const tokenSchema = z.lazy(() =>
  z.looseObject({
    token: z.string().exactOptional(),
    access_token: z.string().exactOptional(),
    expires_in: z.number().exactOptional(),
  }),
);

/**
 * Fetches a token: the OAuth2 POST form for credentials, and the GET form when the server lacks it or nobody asks.
 *
 * @throws {@link OrasError} `ORAS_AUTH_DENIED` when the server refuses the credentials, and the network's codes.
 */
export async function fetchToken(send: SendPlain, request: TokenRequest): Promise<Token> {
  const what = `get a token from ${request.realm.host}`;
  const { limits } = request;
  if (request.credentials !== undefined) {
    const response = await send(postForm(request), what);
    if (response.status === 200) return readToken(response, what, limits);
    const isPassword = request.credentials.type === "password";
    if (!postUnsupported.has(response.status) || !isPassword) {
      throw denied(await toStatusError(response, "POST", what, limits), response.status);
    }
    response.discard();
  }
  const response = await send(getForm(request), what);
  if (response.status === 200) return readToken(response, what, limits);
  throw denied(await toStatusError(response, "GET", what, limits), response.status);
}

function getForm(request: TokenRequest): ExchangeRequest {
  const url = new URL(request.realm);
  if (request.service !== undefined) url.searchParams.set("service", request.service);
  for (const scope of request.scopes) url.searchParams.append("scope", scope);
  const { credentials } = request;
  const authorization =
    credentials?.type === "password"
      ? { authorization: basicHeader(credentials.username, credentials.password) }
      : {};
  return { method: "GET", url, originHeaders: authorization, signal: request.signal };
}

function postForm(request: TokenRequest): ExchangeRequest {
  const { credentials } = request;
  const form = new URLSearchParams({ client_id: clientId });
  if (request.service !== undefined) form.set("service", request.service);
  if (request.scopes.length > 0) form.set("scope", request.scopes.join(" "));
  if (credentials?.type === "password") {
    form.set("grant_type", "password");
    form.set("username", credentials.username);
    form.set("password", credentials.password);
  } else if (credentials !== undefined) {
    form.set("grant_type", "refresh_token");
    form.set("refresh_token", credentials.token);
  }
  return {
    method: "POST",
    url: request.realm,
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: async () => new TextEncoder().encode(form.toString()),
    signal: request.signal,
    keepOrigin: true,
  };
}

async function readToken(
  response: RegistryResponse,
  what: string,
  { maxTokenBytes: maxBytes }: TokenRequest["limits"],
): Promise<Token> {
  const bytes = await readAll(decodeBody(response), maxBytes, "the token server's reply");
  const value = parseJson(bytes, { what: "the token server's reply", maxBytes });
  const parsed = tokenSchema.safeParse(value);
  const token = parsed.data?.token || parsed.data?.access_token;
  if (token === undefined || token === "" || /[^\x21-\x7e]/.test(token)) {
    throw new OrasError({
      code: "ORAS_BAD_RESPONSE",
      message: `cannot ${what}: the reply has no usable token`,
      details: { host: response.url.host },
    });
  }
  return { value: token, lifeMs: Math.max(60, parsed.data?.expires_in ?? 60) * 1000 };
}

function denied(error: OrasError, status: number): OrasError {
  if (status < 400 || status >= 500 || status === 429) return error;
  return new OrasError({
    code: "ORAS_AUTH_DENIED",
    message: error.message,
    details: error.details,
    hint: "check the user name and the password or token; log in again",
    cause: error,
  });
}
