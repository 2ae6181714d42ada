import { createHash, randomUUID } from "node:crypto";
import { ServerError } from "../errors.ts";

/** A request as far as it decides whether two are the same. */
export interface IdempotentRequest {
  /** The header `Idempotency-Key`. */
  readonly key: string;
  /** The method and the path. */
  readonly route: string;
  /** The checked body. */
  readonly body: unknown;
}

const keyDigits = 16;

/**
 * The id of the operation that a request starts: 32 hex digits, the first half of the key, the second of the rest of
 * the request. So the state itself remembers keys, over restarts and between servers of one home. Random without key.
 */
export function operationIdOf(request: IdempotentRequest | undefined): string {
  if (request === undefined) return randomUUID().replaceAll("-", "");
  const rest = canonicalJson([request.route, request.body]);
  return (
    hashOf(`key\n${request.key}`).slice(0, keyDigits) +
    hashOf(`request\n${rest}`).slice(0, 32 - keyDigits)
  );
}

/**
 * The known operation that was started by the same request.
 *
 * @throws {@link ServerError} `SERVER_IDEMPOTENCY_MISMATCH` when one was started with the same key by another request.
 */
export function findReplay<Known extends { readonly id: string }>(
  id: string,
  known: readonly Known[],
): Known | undefined {
  const sameKey = known.filter((operation) => operation.id.startsWith(id.slice(0, keyDigits)));
  const same = sameKey.find((operation) => operation.id === id);
  if (same !== undefined || sameKey.length === 0) return same;
  throw new ServerError({
    code: "SERVER_IDEMPOTENCY_MISMATCH",
    message: "this Idempotency-Key was used for another request",
    hint: "use a new key for a new request",
  });
}

/** JSON with the keys of every object in order, so that equal values give equal texts. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
