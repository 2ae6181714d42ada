import type { CodePages } from "./page.ts";

/** Codes of `@box/oras`. */
export const orasPages: CodePages = {
  OCI_INVALID_REFERENCE: {
    meaning: "The text is not a reference to an image.",
    advice: "Write NAME[:TAG][@DIGEST], oci:DIR[:TAG], oci-archive:FILE or docker-archive:FILE.",
  },
  OCI_INVALID_DIGEST: {
    meaning: "The text is not a digest, or its algorithm is not known.",
    advice: "A digest is sha256: and 64 hex digits.",
  },
  OCI_AMBIGUOUS_REFERENCE: {
    meaning: "The reference fits more than one image.",
    advice: "Add the tag or the digest; the message names the candidates.",
  },
  OCI_NOT_FOUND: {
    meaning: "The registry, the layout or the store does not have what was asked for.",
    advice: "Check the name and the tag in the message.",
  },
  OCI_LAYOUT_MISSING: {
    meaning: "There is no OCI image layout at this path.",
    advice: "Check the path: a layout is a folder with the files oci-layout and index.json.",
  },
  OCI_LAYOUT_INVALID: {
    meaning: "The folder is an image layout whose files break the rules of the format.",
    advice: "Make the layout again, for example with skopeo copy.",
  },
  OCI_LAYOUT_VERSION: {
    meaning: "The image layout is of a version that this program does not know.",
    advice: "Make the layout again with version 1.0.0.",
  },
  OCI_INVALID_JSON: {
    meaning: "A document of the image is not JSON, although its digest is right.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  OCI_INVALID_MANIFEST: {
    meaning: "A manifest or an index breaks the rules of its format, although its digest is right.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  OCI_AMBIGUOUS_MANIFEST: {
    meaning:
      "A document could be read as an index and as a manifest at once, which is a known attack.",
    advice: "Do not use this image; tell its publisher.",
  },
  OCI_MEDIA_TYPE_MISMATCH: {
    meaning: "A document says another type about itself than what points to it.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  OCI_UNSUPPORTED_MEDIA_TYPE: {
    meaning: "The artifact is of a type that this program cannot use here.",
    advice: "Check that the reference names what you mean: some artifacts are no images.",
  },
  OCI_UNSUPPORTED_SCHEMA1: {
    meaning: "The image is in Docker's old schema 1, whose layers cannot be verified.",
    advice: "Ask the publisher to push it again with a current tool.",
  },
  OCI_DIGEST_MISMATCH: {
    meaning:
      "The content does not have the digest that it was asked by: it was damaged on the way, on disk or on purpose. It is not used.",
    advice: "Try again; if it happens again, the source is damaged: tell its owner.",
  },
  OCI_SIZE_MISMATCH: {
    meaning: "The content does not have the size that was announced. It is not used.",
    advice: "Try again; if it happens again, the source is damaged: tell its owner.",
  },
  OCI_TOO_LARGE: {
    meaning: "A document is larger than the limit, which protects the memory of whoever reads it.",
    advice:
      "If you trust the publisher, allow more with --limit, such as --limit manifest-size=8MiB; else use another tag or digest.",
  },
  OCI_TOO_DEEP: {
    meaning: "Indexes contain indexes, more levels than the limit.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  OCI_UNSAFE_NAME: {
    meaning:
      "An artifact or an archive names a file that would lie outside of it, or that is no plain path.",
    advice: "Nothing was written outside; do not trust the content, or pack it with plain names.",
  },
  OCI_ARCHIVE_CORRUPT: {
    meaning: "The archive of an image is damaged, or its parts contradict each other.",
    advice: "Save the image again with the tool that made the archive.",
  },
  ORAS_ABORTED: {
    meaning: "The transfer was stopped. What was downloaded is kept and not downloaded again.",
    advice: "Run it again.",
  },
  ORAS_AUTH_DENIED: {
    meaning: "The registry knows the credentials and does not allow this.",
    advice: "Ask the registry's owner for access to the repository.",
  },
  ORAS_AUTH_REQUIRED: {
    meaning: "The registry wants credentials and there are none for it, or they are wrong.",
    advice: "Log in to the registry; the credentials of docker login are used.",
  },
  ORAS_BAD_RESPONSE: {
    meaning: "The server answered with something that no registry may answer.",
    advice:
      "Check that the name in the reference is that of a registry. Check the connection and the registry's state, then try again: what was downloaded is kept.",
  },
  ORAS_HTTP_STATUS: {
    meaning: "The registry answered with an error; the message has its status and what it says.",
    advice:
      "Check the connection and the registry's state, then try again: what was downloaded is kept.",
  },
  ORAS_INVALID_CREDENTIALS: {
    meaning: "Credentials for the registry have a form that cannot be sent.",
    advice: "Check the file that they come from.",
  },
  ORAS_NETWORK: {
    meaning: "The registry could not be reached.",
    advice:
      "Check the connection and the registry's state, then try again: what was downloaded is kept.",
  },
  ORAS_PROXY: {
    meaning: "The proxy refused or failed.",
    advice: "Check the variables HTTPS_PROXY and NO_PROXY.",
  },
  ORAS_RATE_LIMITED: {
    meaning: "The registry allows no more requests for now.",
    advice: "Wait, or log in: most registries allow more then.",
  },
  ORAS_REALM_REFUSED: {
    meaning:
      "The registry asks for credentials at a server that it may not name, which is a known attack. Nothing was sent there.",
    advice: "Check the name of the registry; tell its owner.",
  },
  ORAS_REDIRECT_REFUSED: {
    meaning: "The registry sent the request to a place that it may not send it to, or too often.",
    advice: "Check the name of the registry; tell its owner.",
  },
  ORAS_STALLED: {
    meaning: "The transfer came to a halt and was given up.",
    advice:
      "Check the connection and the registry's state, then try again: what was downloaded is kept.",
  },
  ORAS_TLS: {
    meaning: "The registry's certificate is not trusted, or the encrypted connection failed.",
    advice:
      "Check the date of this machine and the certificate authority; --insecure HOST is for plain HTTP only.",
  },
  ORAS_TRUNCATED: {
    meaning: "The transfer ended before its announced end.",
    advice:
      "Check the connection and the registry's state, then try again: what was downloaded is kept.",
  },
  ORAS_UNSUPPORTED: {
    meaning: "The registry or the target cannot do this.",
    advice: "Use another registry, or another way; the message says what is missing.",
  },
};
