import { pipeline, Readable } from "node:stream";
import { createBrotliDecompress, createInflate, createUnzip } from "node:zlib";
import { OrasError } from "../errors.ts";
import type { RegistryResponse } from "./response.ts";

/** Tells whether a body carries a content coding, although none was asked for. */
export function isEncoded(response: RegistryResponse): boolean {
  return codingOf(response) !== "";
}

/**
 * The body without its content coding: digests are of the content, not of the coding.
 *
 * @throws {@link OrasError} `ORAS_BAD_RESPONSE` for a coding that is not known; a damaged one throws from the iteration.
 */
export function decodeBody(response: RegistryResponse): AsyncIterable<Uint8Array> {
  const coding = codingOf(response);
  if (coding === "") return response.body;
  const decoder = createDecoder(coding);
  if (decoder === undefined) {
    response.discard();
    throw badCoding(
      response,
      `the content coding ${JSON.stringify(coding.slice(0, 40))} is not known`,
    );
  }
  return decoded(response, decoder);
}

async function* decoded(
  response: RegistryResponse,
  decoder: NodeJS.ReadWriteStream,
): AsyncGenerator<Uint8Array, void, undefined> {
  const output = pipeline(Readable.from(response.body), decoder, () => {});
  try {
    for await (const chunk of output as AsyncIterable<Uint8Array>) yield chunk;
  } catch (error) {
    if (error instanceof OrasError) throw error;
    throw badCoding(response, "its content coding is damaged", error);
  }
}

function createDecoder(coding: string): NodeJS.ReadWriteStream | undefined {
  if (coding === "gzip" || coding === "x-gzip") return createUnzip();
  if (coding === "deflate") return createInflate();
  return coding === "br" ? createBrotliDecompress() : undefined;
}

function codingOf(response: RegistryResponse): string {
  const coding = response.header("content-encoding")?.trim().toLowerCase() ?? "";
  return coding === "identity" ? "" : coding;
}

function badCoding(response: RegistryResponse, why: string, cause?: unknown): OrasError {
  return new OrasError({
    code: "ORAS_BAD_RESPONSE",
    message: `cannot read the reply of ${response.url.host}: ${why}`,
    details: { host: response.url.host },
    retryable: true,
    ...(cause === undefined ? {} : { cause }),
  });
}
