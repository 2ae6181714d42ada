import { BoxError, type BoxErrorOptions, type ErrorKind } from "@box/errors";

/** Why a virtual machine could not be started, reached or used. */
export type VmErrorCode =
  | "VM_SPEC_INVALID" // invalid-argument: the description of a machine is none
  | "VM_ENGINE_UNAVAILABLE" // unsupported: the engine cannot run on this host
  | "VM_SPAWN_FAILED" // io: the machine's process could not be started
  | "VM_NETWORK_UNSUPPORTED" // unsupported: the engine gives machines no network
  | "VM_MACHINE_DIED" // interrupted: the machine ended while it was used
  | "VM_MACHINE_GONE" // not-found: the machine has ended
  | "VM_RECORD_INVALID" // corrupt: the record of a machine is damaged
  | "VM_RECORD_FOREIGN" // unsupported: another engine runs the machine
  | "VM_DISK_IN_USE" // in-use: another process has a disk open
  | "VM_TEMPLATE_UNUSABLE" // corrupt: the saved state of a machine cannot be used
  | "VM_DISK_FULL" // no-space: the host has no space for what the guest writes
  | "VM_GUEST_TIMEOUT" // timeout: the guest did not answer in time
  | "VM_GUEST_PROTOCOL" // corrupt: the guest sent what is no answer
  | "VM_GUEST_FAILED" // io: the guest could not get ready, such as mount a disk
  | "VM_GUEST_NOT_READY" // conflict: commands want a guest that is initialised
  | "VM_STOP_FAILED" // io: the machine's process could not be ended
  | "VM_EXEC_NOT_FOUND" // not-found: there is no such program in the box
  | "VM_EXEC_NOT_EXECUTABLE" // denied: the program may not be run
  | "VM_EXEC_NO_DIRECTORY" // not-found: the working folder is not there
  | "VM_EXEC_NO_USER" // not-found: there is no such user or group in the box
  | "VM_EXEC_LIMIT" // limit: too many commands run at once
  | "VM_STREAM_CLOSED" // conflict: the command takes no more input
  | "VM_NO_PROGRAM" // conflict: the machine has no program that runs
  | "VM_FILE_NOT_FOUND" // not-found: there is no such file or folder in the box
  | "VM_FILE_FAILED" // io: a file of the box cannot be read or written
  | "VM_FILE_UNSUPPORTED" // unsupported: it is neither a file nor a folder nor a link
  | "VM_PORT_REFUSED" // network: nobody listens on the port in the guest
  | "VM_PORT_IN_USE"; // in-use: a port of the host cannot be listened on

/** The kind of each code. */
export const vmErrorKinds: Readonly<Record<VmErrorCode, ErrorKind>> = {
  VM_SPEC_INVALID: "invalid-argument",
  VM_ENGINE_UNAVAILABLE: "unsupported",
  VM_SPAWN_FAILED: "io",
  VM_NETWORK_UNSUPPORTED: "unsupported",
  VM_MACHINE_DIED: "interrupted",
  VM_MACHINE_GONE: "not-found",
  VM_RECORD_INVALID: "corrupt",
  VM_RECORD_FOREIGN: "unsupported",
  VM_DISK_IN_USE: "in-use",
  VM_TEMPLATE_UNUSABLE: "corrupt",
  VM_DISK_FULL: "no-space",
  VM_GUEST_TIMEOUT: "timeout",
  VM_GUEST_PROTOCOL: "corrupt",
  VM_GUEST_FAILED: "io",
  VM_GUEST_NOT_READY: "conflict",
  VM_STOP_FAILED: "io",
  VM_EXEC_NOT_FOUND: "not-found",
  VM_EXEC_NOT_EXECUTABLE: "denied",
  VM_EXEC_NO_DIRECTORY: "not-found",
  VM_EXEC_NO_USER: "not-found",
  VM_EXEC_LIMIT: "limit",
  VM_STREAM_CLOSED: "conflict",
  VM_NO_PROGRAM: "conflict",
  VM_FILE_NOT_FOUND: "not-found",
  VM_FILE_FAILED: "io",
  VM_FILE_UNSUPPORTED: "unsupported",
  VM_PORT_REFUSED: "network",
  VM_PORT_IN_USE: "in-use",
};

/** What a person can do, by code; an error may have a better hint of its own. */
export const vmErrorHints: Readonly<Record<VmErrorCode, string>> = {
  VM_SPEC_INVALID: "mend the field that the message names",
  VM_ENGINE_UNAVAILABLE: "install what the message names, or use another engine",
  VM_SPAWN_FAILED: "look at the cause: the host may be out of memory, processes or open files",
  VM_NETWORK_UNSUPPORTED:
    "use a QEMU with user-mode networking (slirp), or leave --net out: ports are forwarded without a network card too",
  VM_MACHINE_DIED: "start it again; its console log may tell why it ended",
  VM_MACHINE_GONE: "start it again",
  VM_RECORD_INVALID: "end the machine's process by hand if it still runs, then start it again",
  VM_RECORD_FOREIGN: "use the engine that the message names",
  VM_DISK_IN_USE: "end the program that has the disk open, and try again",
  VM_TEMPLATE_UNUSABLE: "nothing: the machine has booted instead, and a new template is saved",
  VM_DISK_FULL: "free space on the host; the machine goes on when there is some",
  VM_GUEST_TIMEOUT: "give it more time on a busy host; the console log may tell what it waits for",
  VM_GUEST_PROTOCOL: "what runs in the machine is not the agent of box: start it again",
  VM_GUEST_FAILED: "look at the console log of the box",
  VM_GUEST_NOT_READY: "wait until the box is running",
  VM_STOP_FAILED: "look at the process that the details name: it may wait for a disk",
  VM_EXEC_NOT_FOUND: "give the path of a program that is in the box",
  VM_EXEC_NOT_EXECUTABLE: "check the mode of the file, and whether it is for this architecture",
  VM_EXEC_NO_DIRECTORY: "give a folder that is in the box",
  VM_EXEC_NO_USER: "give a user of the box's /etc/passwd, or a number",
  VM_EXEC_LIMIT: "wait until another command has ended",
  VM_STREAM_CLOSED: "stop writing when the command has ended",
  VM_NO_PROGRAM: "run a command in it, or start one that runs for a program",
  VM_FILE_NOT_FOUND:
    "give the path of what is in the box; the folder that files go into must be there",
  VM_FILE_FAILED:
    "look at what the message says: the box's disk may be full, or something else in the way",
  VM_FILE_UNSUPPORTED: "name a file, a folder or a link",
  VM_PORT_IN_USE: "choose another port or address of the host",
  VM_PORT_REFUSED: "start the program that is to listen, on the port that the message names",
};

/** A failure of a virtual machine or of what runs in it. */
export class VmError extends BoxError<VmErrorCode> {
  constructor(options: Omit<BoxErrorOptions<VmErrorCode>, "kind">) {
    const { code } = options;
    super({ hint: vmErrorHints[code], ...options, kind: vmErrorKinds[code] });
  }
}
