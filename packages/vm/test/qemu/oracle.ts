import { delimiter } from "node:path";
import { findQemu } from "@box/vm/qemu";

/** Folders that programs of this host are in. */
export const programFolders: readonly string[] = (process.env["PATH"] ?? "").split(delimiter);

/** QEMU of this host. Where it is missing, what boots machines is skipped. */
export const qemuPath: string | undefined = (await findQemu(programFolders))?.path;
