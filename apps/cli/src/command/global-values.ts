/** How progress is shown. */
export type ProgressMode = "auto" | "tty" | "plain" | "json" | "none";

/** How much is told besides progress. */
export type LogLevel = "error" | "warn" | "info" | "debug";

/** The global flags of one run, checked. */
export interface GlobalOptions {
  /** `--home`, not yet resolved. */
  readonly home: string | undefined;
  /** `--format`. */
  readonly format: string;
  /** `--progress`. */
  readonly progress: ProgressMode;
  /** False when colours were refused by a flag. */
  readonly color: boolean;
  /** `--quiet`. */
  readonly quiet: boolean;
  /** `--insecure`, each a `HOST` or `HOST:PORT`. */
  readonly insecureHosts: readonly string[];
  /** `--limit`, any texts; commands get them checked. */
  readonly limits: readonly string[];
  /** `--log-level`. */
  readonly logLevel: LogLevel;
  /** `--timeout` in milliseconds. */
  readonly timeoutMs: number | undefined;
}
