import { OrasError } from "../errors.ts";
import type { Endpoint } from "../transport/endpoint.ts";
import type { Pacing } from "../transport/pacing.ts";
import type { RegistryLimits } from "../transport/registry-limits.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import { basicHeader, type CredentialProvider, type Credentials } from "./credentials.ts";
import { checkRealm, type ForeignRealmPolicy } from "./realm.ts";
import { fetchToken, type SendPlain, type Token } from "./token.ts";

/** What an {@link Authenticator} works with. */
export interface AuthenticatorOptions {
  /** Finds credentials; without it everything is anonymous. */
  readonly credentials?: CredentialProvider;
  /** What to do when a token server is on another site; `refuse` unless given. */
  readonly foreignRealms?: ForeignRealmPolicy;
  /** How much is read of their replies. */
  readonly limits: RegistryLimits;
  /** Asks the token servers of a registry. */
  readonly sendFor: (registry: Endpoint) => SendPlain;
  /** Tells when tokens expire. */
  readonly pacing: Pacing;
}

/** Who asks for what: the key of all that an {@link Authenticator} remembers. */
export interface AuthSubject {
  /** The registry. */
  readonly endpoint: Endpoint;
  /** The repository, for credentials that are kept for a part of a registry. */
  readonly repository?: string;
  /** What the request needs, such as `repository:library/debian:pull`. */
  readonly scopes: readonly string[];
}

interface CachedToken {
  readonly token: Promise<Token>;
  goodUntilMs: number;
}

/**
 * Keeps how each registry wants to be asked and the tokens it gave: one token request for each registry, service and
 * set of scopes, also when many requests need it at once; refreshed at 90 % of its life.
 */
export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #challenges: Map<string, Challenge> = new Map();
  readonly #scopes: Map<string, ReadonlySet<string>> = new Map();
  readonly #tokens: Map<string, CachedToken> = new Map();

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
  }

  /** The `Authorization` header by what is known so far; nothing before the first challenge. */
  async header(subject: AuthSubject, signal?: AbortSignal): Promise<string | undefined> {
    const challenge = this.#challenges.get(subject.endpoint.origin);
    return challenge === undefined ? undefined : this.#headerFor(challenge, subject, signal);
  }

  /**
   * Learns from a 401: the next {@link Authenticator.header} follows the challenge.
   *
   * @param used - The header that the registry refused.
   * @returns The header for another try, or nothing when there is no other to try.
   */
  async answer(
    subject: AuthSubject,
    wwwAuthenticate: string | undefined,
    used: string | undefined,
    signal?: AbortSignal,
  ): Promise<string | undefined> {
    const challenge = chooseChallenge(parseChallenges(wwwAuthenticate ?? ""));
    if (challenge === undefined) return undefined;
    this.#challenges.set(subject.endpoint.origin, challenge);
    this.#mergeScopes(subject, challenge);
    if (used?.startsWith("Bearer ")) await this.#forget(challenge, subject, used.slice(7));
    const header = await this.#headerFor(challenge, subject, signal);
    return header === used ? undefined : header;
  }

  /** Whether there are credentials for a registry. */
  async hasCredentials(subject: AuthSubject): Promise<boolean> {
    return (await this.#credentialsOf(subject)) !== undefined;
  }

  async #headerFor(
    challenge: Challenge,
    subject: AuthSubject,
    signal?: AbortSignal,
  ): Promise<string | undefined> {
    const credentials = await this.#credentialsOf(subject);
    if (credentials?.type === "registry-token") return `Bearer ${credentials.token}`;
    if (challenge.scheme === "bearer") {
      return `Bearer ${await this.#token(challenge, subject, credentials, signal)}`;
    }
    if (credentials?.type !== "password") return undefined;
    return basicHeader(credentials.username, credentials.password);
  }

  async #token(
    challenge: Challenge,
    subject: AuthSubject,
    credentials: Credentials | undefined,
    signal?: AbortSignal,
  ): Promise<string> {
    const key = this.#tokenKey(challenge, subject);
    const { pacing } = this.#options;
    let cached = this.#tokens.get(key);
    if (cached === undefined || cached.goodUntilMs <= pacing.now()) {
      cached = this.#request(key, challenge, subject, credentials);
    }
    const { value } = await raceAbort(cached.token, signal);
    return value;
  }

  /** Starts a request that all who need the same token share; a failure is not remembered. */
  #request(
    key: string,
    challenge: Challenge,
    subject: AuthSubject,
    credentials: Credentials | undefined,
  ): CachedToken {
    const { pacing, sendFor, foreignRealms, limits } = this.#options;
    const { endpoint } = subject;
    const { tokenServers } = endpoint.options;
    const fetching = async (): Promise<Token> => {
      const named = challenge.parameters.get("realm") ?? "";
      const realm = checkRealm(new URL(endpoint.origin), named, {
        hasCredentials: credentials !== undefined,
        ...(foreignRealms === undefined ? {} : { foreignRealms }),
        ...(tokenServers === undefined ? {} : { tokenServers }),
      });
      const service = challenge.parameters.get("service");
      return fetchToken(sendFor(endpoint), {
        realm,
        limits,
        scopes: this.#scopesOf(subject),
        ...(service === undefined ? {} : { service }),
        ...(credentials === undefined ? {} : { credentials }),
      });
    };
    const cached: CachedToken = { token: fetching(), goodUntilMs: Number.POSITIVE_INFINITY };
    this.#tokens.set(key, cached);
    cached.token.then(
      ({ lifeMs }) => {
        cached.goodUntilMs = pacing.now() + lifeMs * 0.9;
      },
      () => {
        if (this.#tokens.get(key) === cached) this.#tokens.delete(key);
      },
    );
    return cached;
  }

  /** Drops a token that was refused, unless another request has replaced it already. */
  async #forget(challenge: Challenge, subject: AuthSubject, refused: string): Promise<void> {
    const key = this.#tokenKey(challenge, subject);
    const cached = this.#tokens.get(key);
    const current = await cached?.token.catch(() => undefined);
    if (current?.value === refused && this.#tokens.get(key) === cached) this.#tokens.delete(key);
  }

  #mergeScopes(subject: AuthSubject, challenge: Challenge): void {
    const asked = (challenge.parameters.get("scope") ?? "").split(" ").filter((s) => s !== "");
    const key = scopeKey(subject);
    this.#scopes.set(key, new Set([...this.#scopesOf(subject), ...asked.slice(0, 20)]));
  }

  #scopesOf(subject: AuthSubject): readonly string[] {
    return [...(this.#scopes.get(scopeKey(subject)) ?? subject.scopes)].sort();
  }

  #tokenKey(challenge: Challenge, subject: AuthSubject): string {
    const { parameters } = challenge;
    return JSON.stringify([
      subject.endpoint.origin,
      parameters.get("realm") ?? "",
      parameters.get("service") ?? "",
      this.#scopesOf(subject),
    ]);
  }

  async #credentialsOf(subject: AuthSubject): Promise<Credentials | undefined> {
    return this.#options.credentials?.(subject.endpoint.host, subject.repository);
  }
}

function scopeKey(subject: AuthSubject): string {
  return JSON.stringify([subject.endpoint.origin, subject.scopes]);
}

function chooseChallenge(challenges: readonly Challenge[]): Challenge | undefined {
  const bearer = challenges.find((challenge) => challenge.scheme === "bearer");
  return bearer ?? challenges.find((challenge) => challenge.scheme === "basic");
}

async function raceAbort<T>(work: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (signal === undefined) return work;
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = () =>
    reject(
      new OrasError({
        code: "ORAS_ABORTED",
        message: "the operation was stopped",
        cause: signal.reason,
      }),
    );
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
