import type { CodePages } from "./page.ts";

/** Codes of `@box/tar`. */
export const tarPages: CodePages = {
  TAR_TRUNCATED: {
    meaning: "A layer's archive ends in the middle of an entry.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  TAR_BAD_CHECKSUM: {
    meaning:
      "A header of a layer's archive has a wrong checksum: the archive is damaged, or it is no archive.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  TAR_BAD_HEADER: {
    meaning:
      "A header of a layer's archive has a field that is no number, or one that contradicts its type.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  TAR_BAD_PAX: {
    meaning: "An extended header of a layer's archive breaks the rules of the format.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  TAR_BAD_SPARSE: {
    meaning: "The map of a sparse file in a layer's archive is damaged.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  TAR_UNSUPPORTED_TYPE: {
    meaning: "A layer's archive has an entry of a type that no file system has.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  TAR_OVER_LIMIT: {
    meaning:
      "A layer's archive has a name, a header or a number of entries over the limit, which protects the memory of whoever reads it.",
    advice: "If you trust the image, raise the limit in the library; otherwise use another image.",
  },
  TAR_BAD_ENTRY: {
    meaning: "An entry for a new archive has a value that the format cannot hold.",
    advice: "Report it with the output of the same command and --log-level debug.",
  },
};
