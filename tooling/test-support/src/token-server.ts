import { randomUUID, sign, X509Certificate } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { type ScriptedServer, scriptedServer } from "./scripted-server.ts";
import type { SelfSigned } from "./self-signed.ts";

/** Options of {@link tokenServer}. */
export interface TokenServerOptions {
  /** Signs tokens; registries trust its certificate. */
  readonly signer: SelfSigned;
  readonly issuer: string;
  readonly user: string;
  readonly password: string;
  /** Whether the OAuth2 form is known; many servers know only the older GET. */
  readonly knowsForm: boolean;
}

/** A token server by the distribution project's "Token Authentication Specification": one user, who may do everything. */
export async function tokenServer(options: TokenServerOptions): Promise<ScriptedServer> {
  return scriptedServer(async (request, response) => {
    const form = await readForm(request);
    if (request.method === "POST" && !options.knowsForm) return response.writeHead(405).end();
    const isKnown = isUser(request, form, options);
    if (isKnown === false) return response.writeHead(401).end();
    const token = signToken(form, isKnown === true, options);
    return response.end(JSON.stringify({ token, access_token: token, expires_in: 300 }));
  });
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  if (request.method === "GET") return new URL(request.url ?? "", "http://x.invalid").searchParams;
  let body = "";
  for await (const part of request) body += part;
  return new URLSearchParams(body);
}

/** Whether the asker proves to be the user; nothing when nobody claims to be anybody. */
function isUser(
  { method, headers }: IncomingMessage,
  form: URLSearchParams,
  { user, password }: TokenServerOptions,
): boolean | undefined {
  if (method === "POST") return form.get("username") === user && form.get("password") === password;
  if (headers.authorization === undefined) return undefined;
  const basic = Buffer.from(`${user}:${password}`).toString("base64");
  return headers.authorization === `Basic ${basic}`;
}

/** A JSON web token (RFC 7519) by ES256, with the certificate in it. Nobody may only pull. */
function signToken(form: URLSearchParams, isUser: boolean, options: TokenServerOptions): string {
  const access = form
    .getAll("scope")
    .flatMap((scope) => scope.split(" "))
    .map((scope) => {
      const [type = "", name = "", actions = ""] = scope.split(":");
      const wanted = actions.split(",");
      return { type, name, actions: isUser ? wanted : wanted.filter((one) => one === "pull") };
    });
  const now = Math.floor(Date.now() / 1000);
  const header = {
    typ: "JWT",
    alg: "ES256",
    x5c: [new X509Certificate(options.signer.cert).raw.toString("base64")],
  };
  const claims = {
    iss: options.issuer,
    sub: isUser ? options.user : "",
    aud: form.get("service"),
    nbf: now - 10,
    iat: now,
    exp: now + 300,
    jti: randomUUID(),
    access,
  };
  const text = [header, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  const key = { key: options.signer.key, dsaEncoding: "ieee-p1363" } as const;
  return `${text}.${sign("sha256", Buffer.from(text), key).toString("base64url")}`;
}
