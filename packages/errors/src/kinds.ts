/** What kind of failure it is: the closed list by which callers decide what to do. */
export type ErrorKind =
  | "usage"
  | "invalid-argument"
  | "not-found"
  | "conflict"
  | "in-use"
  | "corrupt"
  | "io"
  | "read-only"
  | "no-space"
  | "network"
  | "auth"
  | "unsupported"
  | "limit"
  | "denied"
  | "encrypted"
  | "backing-missing"
  | "timeout"
  | "aborted"
  | "interrupted"
  | "internal";

/** How a kind shows outside the process. */
export interface KindOutcome {
  /** Exit code of the `box` command. */
  readonly exitCode: number;
  /** HTTP status of the box server. */
  readonly httpStatus: number;
}

/** The one table from kinds to exit codes and HTTP statuses. */
export const kindOutcomes: Readonly<Record<ErrorKind, KindOutcome>> = {
  usage: { exitCode: 2, httpStatus: 400 },
  "invalid-argument": { exitCode: 2, httpStatus: 400 },
  "not-found": { exitCode: 3, httpStatus: 404 },
  conflict: { exitCode: 4, httpStatus: 409 },
  "in-use": { exitCode: 4, httpStatus: 409 },
  corrupt: { exitCode: 5, httpStatus: 422 },
  io: { exitCode: 6, httpStatus: 500 },
  "read-only": { exitCode: 6, httpStatus: 500 },
  "no-space": { exitCode: 6, httpStatus: 507 },
  network: { exitCode: 7, httpStatus: 502 },
  auth: { exitCode: 8, httpStatus: 401 },
  unsupported: { exitCode: 9, httpStatus: 422 },
  limit: { exitCode: 9, httpStatus: 422 },
  denied: { exitCode: 9, httpStatus: 422 },
  encrypted: { exitCode: 9, httpStatus: 422 },
  "backing-missing": { exitCode: 10, httpStatus: 409 },
  timeout: { exitCode: 124, httpStatus: 504 },
  aborted: { exitCode: 130, httpStatus: 499 },
  interrupted: { exitCode: 1, httpStatus: 500 },
  internal: { exitCode: 1, httpStatus: 500 },
};
