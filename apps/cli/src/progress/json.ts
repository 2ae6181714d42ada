import type { OutputStream } from "../host/host.ts";
import { formatJsonLine } from "../output/json.ts";
import type { ProgressRenderer } from "./shown-event.ts";

/** Every event as one line of JSON on stderr, exactly as the library and the server give it. */
export function createJsonRenderer({
  stderr,
}: {
  readonly stderr: OutputStream;
}): ProgressRenderer {
  return {
    event: (event) => stderr.write(`${formatJsonLine(event)}\n`),
    print: (text) => stderr.write(`${text}\n`),
    close: () => {},
  };
}
