import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { errnoOf } from "@box/io/node";
import { CliError } from "../errors.ts";

const maxBytes = 65536;

/**
 * All bytes of a passphrase file, as QEMU takes those of its secret files. It may be a pipe.
 *
 * @throws CliError `CLI_INVALID_ARGUMENT` when it cannot be read or is too long.
 */
export async function readPassphrase(file: string, cwd: string): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of createReadStream(resolve(cwd, file), { end: maxBytes })) {
      chunks.push(chunk as Buffer);
    }
  } catch (cause) {
    throw invalid(`cannot read ${file} (${errnoOf(cause) ?? "failed"})`, cause);
  }
  const bytes = Buffer.concat(chunks);
  if (bytes.byteLength > maxBytes) throw invalid(`${file} has more than ${maxBytes} bytes`);
  return bytes;
}

function invalid(reason: string, cause?: unknown): CliError {
  return new CliError({
    code: "CLI_INVALID_ARGUMENT",
    message: `--passphrase-file: ${reason}`,
    hint: "name a file that holds nothing but the passphrase",
    ...(cause === undefined ? {} : { cause }),
  });
}
