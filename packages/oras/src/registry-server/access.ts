import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { RegistryFailure } from "./reply.ts";

/** Who may use a registry. */
export interface RegistryAuth {
  /** `basic` asks for user and password each time, `token` gives tokens to those who know a password. */
  readonly scheme: "basic" | "token";
  /** Passwords by user. */
  readonly users: Readonly<Record<string, string>>;
  /** Whether everybody may read; false unless given. */
  readonly anonymousPull?: boolean;
}

/** An action on a repository that a request needs. */
export interface NeededAccess {
  /** The repository; empty for the list of all. */
  readonly repository: string;
  /** What is done there; all repositories are listed for users only, whoever may read them. */
  readonly action: "pull" | "push" | "delete" | "list";
}

/** Decides about requests. */
export interface AccessControl {
  /** Throws a {@link RegistryFailure} of status 401 for a request that may not be served. */
  require(request: IncomingMessage, needed: readonly NeededAccess[]): void;
  /** Answers a request for a token. @returns false when there are no tokens. */
  answerTokenRequest(request: IncomingMessage, response: ServerResponse): Promise<boolean>;
}

/** Lets everybody do everything. */
export const openAccess: AccessControl = {
  require: () => {},
  answerTokenRequest: async () => false,
};

/** Asks for user and password. */
export function basicAccess(auth: RegistryAuth): AccessControl {
  return {
    require: (request, needed) => {
      if (basicUser(auth, request.headers.authorization) !== undefined) return;
      const isRead = needed.length > 0 && needed.every(({ action }) => action === "pull");
      if (isRead && auth.anonymousPull && request.headers.authorization === undefined) return;
      throw new RegistryFailure(401, "UNAUTHORIZED", "authentication required", {
        "www-authenticate": 'Basic realm="registry", charset="UTF-8"',
      });
    },
    answerTokenRequest: async () => false,
  };
}

/** The user that a `Basic` header proves. */
export function basicUser(auth: RegistryAuth, header: string | undefined): string | undefined {
  const encoded = /^basic ([A-Za-z0-9+/=]{1,8192})$/i.exec(header ?? "")?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  const user = text.slice(0, Math.max(colon, 0));
  return isPassword(auth, user, text.slice(colon + 1)) ? user : undefined;
}

/** Compares in a time that tells nothing about the password. */
export function isPassword(auth: RegistryAuth, user: string, password: string): boolean {
  const expected = Object.hasOwn(auth.users, user) ? (auth.users[user] ?? "") : "";
  const isEqual = timingSafeEqual(sha256(expected), sha256(password));
  return isEqual && expected !== "";
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
