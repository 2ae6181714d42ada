import {
  type Descriptor,
  type Digest,
  OciLayout,
  type OperationOptions,
  OrasError,
} from "@box/oras";
import type { ImageSource } from "./image-source.ts";

/** What a source's reference names now. */
export async function resolveSource(
  source: ImageSource,
  options: OperationOptions,
): Promise<Descriptor> {
  const { target, selector } = source;
  if (selector !== undefined) return target.resolve(selector, options);
  if (target instanceof OciLayout) return target.resolveOnly();
  throw new Error("only layouts are read without a name");
}

/**
 * Refuses to let a name stand for an image that has not the digest that it pins.
 *
 * @throws OrasError `OCI_DIGEST_MISMATCH`.
 */
export function requirePinned(name: string, pinned: Digest | undefined, digest: Digest): void {
  if (pinned === undefined || pinned === digest) return;
  throw new OrasError({
    code: "OCI_DIGEST_MISMATCH",
    message: `cannot use ${digest} as ${name}: the name pins another digest`,
    details: { reference: name, expected: pinned, actual: digest },
    hint: "use a name without a digest, or with the digest of this image",
  });
}
