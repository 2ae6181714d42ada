type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/** Colours for a stream; every function returns its text unchanged where colours are off. */
export type Paint = Readonly<Record<Style, (text: string) => string>> & {
  /** Whether colours are on. */
  readonly isColorSupported: boolean;
};

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
  const isColorSupported = mayUseColor(facts);
  const style = (begin: number, end: number) =>
    isColorSupported ? painted(`\x1b[${begin}m`, `\x1b[${end}m`) : (text: string) => text;
  return {
    isColorSupported,
    bold: style(1, 22),
    dim: style(2, 22),
    red: style(31, 39),
    green: style(32, 39),
    yellow: style(33, 39),
    cyan: style(36, 39),
  };
}

/** Text within a style; where another one ends in it, it goes on. */
function painted(begin: string, end: string): (text: string) => string {
  return (text) => begin + text.replaceAll(end, end + begin) + end;
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
