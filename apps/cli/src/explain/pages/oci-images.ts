import type { CodePages } from "./page.ts";

/** Codes of `@box/oci-images`. */
export const imagePages: CodePages = {
  OCI_IMAGE_NOT_FOUND: {
    meaning:
      "The image is not in the store, and the pull policy forbids to ask a registry, or it is none.",
    advice: "Pull it: box pull REF.",
  },
  OCI_NO_PLATFORM_MATCH: {
    meaning: "The image exists, but not for this machine's architecture.",
    advice: "The message lists the platforms that it has; choose another image or tag.",
  },
  OCI_INVALID_PLATFORM: {
    meaning: "The text is not a platform.",
    advice: "Write OS/ARCHITECTURE[/VARIANT], such as linux/arm64/v8.",
  },
  OCI_INVALID_KEY: {
    meaning: "The file is no public key that signatures can be verified with.",
    advice: "Name a public key in PEM: ECDSA, RSA or Ed25519, such as cosign.pub.",
  },
  OCI_SIGNATURE_MISSING: {
    meaning: "A signature was asked for, and the image has none, or its source may not be asked.",
    advice: "Sign the image, or pull it without --verify-key. Nothing of it was stored.",
  },
  OCI_SIGNATURE_INVALID: {
    meaning: "The image has signatures, and none of them is a signature of it by the given key.",
    advice: "Check that the key is the publisher's; if it is, do not trust the image.",
  },
  OCI_NOT_AN_IMAGE: {
    meaning: "The reference names an artifact that is no container image.",
    advice: "Check the reference.",
  },
  OCI_COMPRESSION_UNSUPPORTED: {
    meaning: "A layer is compressed with something other than gzip or zstd.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  OCI_INVALID_CONFIG: {
    meaning: "The image's config breaks the rules of its format, although its digest is right.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  OCI_LAYER_CORRUPT: {
    meaning: "A layer cannot be decompressed, although its digest is right.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  OCI_DIFF_ID_MISMATCH: {
    meaning:
      "A layer's content is not what the image's config says: they do not belong together. It is not used.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  OCI_IMAGE_INCOMPLETE: {
    meaning: "A blob of a stored image is gone from the store.",
    advice: "Pull the image again: box pull REF.",
  },
  OCI_LAYER_TOO_LARGE: {
    meaning:
      "A layer decompresses to more than the limit, which protects your disk, or needs more memory for it.",
    advice:
      "If you trust the image, raise the limit: --limit layer-size=SIZE, layer-ratio=NUMBER, layer-frames=NUMBER or layer-window=SIZE.",
  },
  OCI_TOO_MANY_LAYERS: {
    meaning: "The image has more layers than the limit.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  OCI_INDEX_TOO_DEEP: {
    meaning: "Indexes contain indexes, more levels than the limit.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  OCI_FOREIGN_LAYER: {
    meaning: "A layer is not in the registry but at another address, which box never fetches from.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  OCI_ENCRYPTED_LAYER: {
    meaning: "A layer of the image is encrypted, and there is no key for it.",
    advice: "Decrypt the image with the tool that encrypted it.",
  },
};
