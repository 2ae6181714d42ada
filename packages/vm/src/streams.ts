import type { ExecProcess } from "./exec.ts";

/** A stream to or from a guest. Disposing breaks it off when it still goes on. */
export type GuestStream = Pick<ExecProcess, "stdin" | "stdout" | "wait"> & AsyncDisposable;

/** What {@link GuestStream} is opened for. */
export type StreamRequest =
  | {
      /** Takes files into an existing folder: its input is read as `TreeRecordDecoder` of `@box/guest/protocol` does. */
      readonly type: "put";
      /** Absolute path of the folder. */
      readonly path: string;
      /** Whether files get the owners that records name; they belong to root unless said so. */
      readonly keepsOwners?: boolean;
    }
  | {
      /** Gives a file, or a folder with all that is in it, as records. */
      readonly type: "get";
      /** Absolute path. */
      readonly path: string;
      /** Only the first record, without content. */
      readonly onlyLooks?: boolean;
      /** Follows a link that the path itself is. */
      readonly follows?: boolean;
    }
  | {
      /** A connection to the guest's loopback; each direction ends by itself. */
      readonly type: "connect";
      /** 1 to 65535. */
      readonly port: number;
    };
