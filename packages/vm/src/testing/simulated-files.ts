import { encodeTreeRecord, type TreeRecord, TreeRecordDecoder } from "@box/guest/protocol";
import { VmError } from "../errors.ts";
import type { StreamRequest } from "../streams.ts";
import type { GuestProgram } from "./guest-programs.ts";

interface SimulatedFile {
  readonly record: TreeRecord;
  content: Uint8Array;
}

type PutRequest = Extract<StreamRequest, { readonly type: "put" }>;
type GetRequest = Extract<StreamRequest, { readonly type: "get" }>;

const none = new Uint8Array(0);
const folder: SimulatedFile = {
  record: {
    ...{ kind: "directory", mode: 0o755, uid: 0, gid: 0, mtimeNs: 0n, sizeBytes: 0 },
    ...{ path: none, linkTarget: none },
  },
  content: none,
};

/** The files of a simulated guest, in memory. No link is followed. */
export class SimulatedFiles {
  readonly #files = new Map<string, SimulatedFile>([
    ["", folder],
    ["/tmp", folder],
  ]);

  /** What takes files as records from its input. @throws VmError `VM_FILE_NOT_FOUND`. */
  put({ path, keepsOwners = false }: PutRequest): GuestProgram {
    const root = path.replace(/\/+$/, "");
    if (this.#require(root, path).record.kind !== "directory") throw failed(path, "is no folder");
    return async ({ stdin }) => {
      const decoder = new TreeRecordDecoder();
      let last: SimulatedFile | undefined;
      for await (const chunk of stdin) {
        for (const event of decoder.push(chunk)) {
          if (event.type === "content" && last !== undefined) {
            last.content = Buffer.concat([last.content, event.bytes]);
          } else if (event.type === "record") {
            const { record } = event;
            last = { record: keepsOwners ? record : { ...record, uid: 0, gid: 0 }, content: none };
            this.#files.set(`${root}/${Buffer.from(record.path).toString("latin1")}`, last);
          }
        }
      }
      if (!decoder.isBetweenRecords) throw failed(path, "the input ends within a file");
      return 0;
    };
  }

  /** What gives files as records. @throws VmError `VM_FILE_NOT_FOUND`. */
  get({ path, onlyLooks = false }: GetRequest): GuestProgram {
    const root = path.replace(/\/+$/, "");
    this.#require(root, path);
    const name = root.slice(root.lastIndexOf("/") + 1) || "root";
    return async ({ write }) => {
      for (const [at, { record, content }] of this.#files) {
        if (at !== root && (onlyLooks || !at.startsWith(`${root}/`))) continue;
        const own = Buffer.from(`${name}${at.slice(root.length)}`, "latin1");
        await write(encodeTreeRecord({ ...record, path: own }));
        if (!onlyLooks && content.byteLength > 0) await write(content);
      }
      return 0;
    };
  }

  #require(root: string, path: string): SimulatedFile {
    const found = this.#files.get(root);
    if (found !== undefined) return found;
    throw new VmError({
      code: "VM_FILE_NOT_FOUND",
      message: `there is no ${path} in the box`,
      details: { path },
    });
  }
}

function failed(path: string, what: string): VmError {
  return new VmError({
    code: "VM_FILE_FAILED",
    message: `${path}: ${what}`,
    details: { path },
  });
}
