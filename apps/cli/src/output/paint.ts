import picocolors from "picocolors";

/** Colours for a stream; every function returns its text unchanged where colours are off. */
export type Paint = Pick<
  ReturnType<typeof picocolors.createColors>,
  "isColorSupported" | "bold" | "dim" | "red" | "green" | "yellow" | "cyan"
>;

/** What decides whether a stream gets colours. */
export interface ColorFacts {
  /** False after `--no-color`. */
  readonly allowed: boolean;
  /** Whether the stream is a terminal. */
  readonly isTerminal: boolean;
  /** The process's environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Colours for one stream. */
export function createPaint(facts: ColorFacts): Paint {
  return picocolors.createColors(mayUseColor(facts));
}

/**
 * Whether a stream may get colours: `NO_COLOR`, `TERM=dumb` and `--no-color` always win, then `FORCE_COLOR`
 * asks for them, then a terminal outside CI has them.
 */
export function mayUseColor({ allowed, isTerminal, env }: ColorFacts): boolean {
  const { NO_COLOR, FORCE_COLOR, TERM, CI } = env;
  if (!allowed || isSet(NO_COLOR) || TERM === "dumb") return false;
  if (isSet(FORCE_COLOR) && FORCE_COLOR !== "0") return true;
  return isTerminal && !isSet(CI);
}

/** Whether a stream may be redrawn in place: a terminal that takes escape sequences. */
export function mayRedraw(facts: ColorFacts): boolean {
  return facts.isTerminal && mayUseColor({ ...facts, env: { ...facts.env, FORCE_COLOR: "" } });
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== "";
}
