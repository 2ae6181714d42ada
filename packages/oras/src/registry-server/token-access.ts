import { createHmac, randomBytes, randomUUID, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isRepository } from "../content/reference.ts";
import { readAll } from "../content/verify.ts";
import { OrasError } from "../errors.ts";
import {
  type AccessControl,
  basicUser,
  isPassword,
  type NeededAccess,
  type RegistryAuth,
} from "./access.ts";
import { RegistryFailure, sendJson } from "./reply.ts";

const tokenLifeS = 300;
const maxFormBytes = 64 * 1024;
const maxScopes = 20;

/** What a token says. No two tokens are alike: each has a number of its own. */
interface Claims {
  /** The user; empty for nobody. */
  readonly user: string;
  /** When it ends, in seconds since the epoch; never for one that only buys others. */
  readonly until?: number;
  /** `REPOSITORY:ACTION` that it allows. */
  readonly grants: readonly string[];
  /** `refresh` for a token that only buys others. */
  readonly use: "access" | "refresh";
}

/**
 * Gives and checks tokens as the distribution project's token specification describes: by GET with Basic credentials,
 * by the OAuth2 POST form with a password or a refresh token, or for nobody. Tokens are signed with a key that dies
 * with the server.
 *
 * @param originOf - The server's URL as whoever asks knows it, for challenges.
 * @param now - Milliseconds since the epoch.
 */
export function tokenAccess(
  auth: RegistryAuth,
  originOf: (request: IncomingMessage) => string,
  now: () => number,
): AccessControl {
  const tokens = new Tokens(now);
  return {
    require: (request, needed) => {
      const bearer = /^bearer (\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
      const claims = bearer === undefined ? undefined : tokens.read(bearer, "access");
      if (claims !== undefined && needed.every((one) => isGranted(claims, one))) return;
      throw unauthorized(originOf(request), needed, claims !== undefined);
    },
    answerTokenRequest: async (request, response) => {
      const form = await readForm(request);
      const user = identify(auth, tokens, request, form);
      if (user === undefined) {
        throw new RegistryFailure(401, "UNAUTHORIZED", "wrong user, password or token", {
          "www-authenticate": 'Basic realm="registry", charset="UTF-8"',
        });
      }
      const grants = grantsFor(auth, user, form);
      const until = Math.floor(now() / 1000) + tokenLifeS;
      const token = tokens.sign({ user, until, grants, use: "access" });
      const isLasting = user !== "" && form.get("access_type") === "offline";
      const refresh = isLasting ? tokens.sign({ user, grants: [], use: "refresh" }) : undefined;
      sendJson(
        response,
        200,
        {
          token,
          access_token: token,
          expires_in: tokenLifeS,
          issued_at: new Date(now()).toISOString(),
          ...(refresh === undefined ? {} : { refresh_token: refresh }),
        },
        { "cache-control": "no-store" },
      );
      return true;
    },
  };
}

/** Signs and checks what was signed. */
class Tokens {
  readonly #key: Buffer = randomBytes(32);
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  sign(claims: Claims): string {
    const unique = { ...claims, jti: randomUUID() };
    const body = Buffer.from(JSON.stringify(unique)).toString("base64url");
    return `${body}.${this.#mac(body).toString("base64url")}`;
  }

  read(token: string, use: Claims["use"]): Claims | undefined {
    const [body = "", signature = "", more] = token.split(".");
    const given = Buffer.from(signature, "base64url");
    const mac = this.#mac(body);
    if (more !== undefined || given.length !== mac.length) return undefined;
    if (!timingSafeEqual(given, mac)) return undefined;
    // The signature says that these are our own words.
    const claims = JSON.parse(Buffer.from(body, "base64url").toString("utf8")) as Claims;
    const isOver = claims.until !== undefined && claims.until * 1000 <= this.#now();
    return isOver || claims.use !== use ? undefined : claims;
  }

  #mac(body: string): Buffer {
    return createHmac("sha256", this.#key).update(body).digest();
  }
}

/** The query of a GET, or the form of a POST. */
async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  if (request.method === "GET") {
    return URL.parse(request.url ?? "/", "http://x.invalid")?.searchParams ?? new URLSearchParams();
  }
  if (request.method !== "POST") {
    throw new RegistryFailure(405, "UNSUPPORTED", "the method is not supported here");
  }
  try {
    const bytes = await readAll(request, maxFormBytes, "the form");
    return new URLSearchParams(new TextDecoder().decode(bytes));
  } catch (error) {
    if (!(error instanceof OrasError)) throw error;
    throw new RegistryFailure(413, "SIZE_INVALID", error.message);
  }
}

/** Who asks: a user, nobody (empty), or one who claims to be someone and is not. */
function identify(
  auth: RegistryAuth,
  tokens: Tokens,
  request: IncomingMessage,
  form: URLSearchParams,
): string | undefined {
  if (request.method === "GET") {
    const { authorization } = request.headers;
    return authorization === undefined ? "" : basicUser(auth, authorization);
  }
  if (form.get("grant_type") === "refresh_token") {
    return tokens.read(form.get("refresh_token") ?? "", "refresh")?.user;
  }
  const user = form.get("username") ?? "";
  const isKnown = form.get("grant_type") === "password";
  return isKnown && isPassword(auth, user, form.get("password") ?? "") ? user : undefined;
}

/** Users may do everything; others read, where that is allowed. What is not allowed is left out of the token. */
function grantsFor(auth: RegistryAuth, user: string, form: URLSearchParams): readonly string[] {
  const scopes = form.getAll("scope").flatMap((scope) => scope.split(" "));
  return scopes.slice(0, maxScopes).flatMap((scope) => {
    const [type, name = "", actions = ""] = scope.split(":");
    if (type !== "repository" || !isRepository(name)) return [];
    const wanted = actions === "*" ? ["pull", "push", "delete"] : actions.split(",");
    const allowed = wanted.filter((action) =>
      user === "" ? action === "pull" && auth.anonymousPull === true : knownActions.has(action),
    );
    return allowed.map((action) => `${name}:${action}`);
  });
}

const knownActions: ReadonlySet<string> = new Set(["pull", "push", "delete"]);

function isGranted(claims: Claims, { repository, action }: NeededAccess): boolean {
  if (action === "list") return claims.user !== "";
  return claims.grants.includes(`${repository}:${action}`);
}

function unauthorized(
  origin: string,
  needed: readonly NeededAccess[],
  isKnown: boolean,
): RegistryFailure {
  const scopes = needed.map(({ repository, action }) =>
    action === "list" ? "registry:catalog:*" : `repository:${repository}:${scopeActions[action]}`,
  );
  const scope = scopes.length === 0 ? "" : `,scope="${scopes.join(" ")}"`;
  const error = isKnown ? ',error="insufficient_scope"' : "";
  return new RegistryFailure(401, "UNAUTHORIZED", "authentication required", {
    "www-authenticate": `Bearer realm="${origin}/token",service="box-registry"${scope}${error}`,
  });
}

/** What clients are told to ask for. */
const scopeActions: Readonly<Record<Exclude<NeededAccess["action"], "list">, string>> = {
  pull: "pull",
  push: "pull,push",
  delete: "delete",
};
