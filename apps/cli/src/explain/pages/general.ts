import type { CodePages } from "./page.ts";

/** Codes of errors that no package throws on purpose. */
export const generalPages: CodePages = {
  INTERNAL: {
    meaning: "Box came to a state that it should never be in: a fault in box, not in what you did.",
    advice: "Report it with the file that the message names; it holds the stack trace.",
  },
  ABORTED: {
    meaning: "The work was stopped before its end. What was half made is removed.",
    advice: "Run it again; finished steps are kept.",
  },
};
