import type { CodePages } from "./page.ts";

/** Codes of `@box/vm`. */
export const vmPages: CodePages = {
  VM_SPEC_INVALID: {
    meaning: "A virtual machine cannot be made as it was described: the message names the field.",
    advice:
      "Give it another size of memory or number of processors. Else it is a fault of box: report it.",
  },
  VM_ENGINE_UNAVAILABLE: {
    meaning: "The program that runs virtual machines is missing, or cannot run on this machine.",
    advice: "Install what the message names, or use another engine.",
  },
  VM_SPAWN_FAILED: {
    meaning: "The process of the virtual machine could not be started.",
    advice: "The cause tells why: the host may be out of memory, processes or open files.",
  },
  VM_NETWORK_UNSUPPORTED: {
    meaning:
      "The engine cannot give its machines a network card: this QEMU was built without user-mode networking (slirp), or without the card.",
    advice:
      "Use a QEMU that has it, such as Debian's. Without --net files go in with box cp, and ports are forwarded all the same.",
  },
  VM_MACHINE_DIED: {
    meaning: "The virtual machine ended while something ran in it.",
    advice: "Start it again. Its console log below boxes/ID/logs may tell why it ended.",
  },
  VM_MACHINE_GONE: {
    meaning: "The virtual machine has ended.",
    advice: "Start it again.",
  },
  VM_RECORD_INVALID: {
    meaning: "The record by which a running virtual machine is found again is damaged.",
    advice: "End the machine's process by hand if it still runs, then start it again.",
  },
  VM_RECORD_FOREIGN: {
    meaning: "The virtual machine was started by another engine, which this one cannot talk to.",
    advice: "Use the engine that the message names.",
  },
  VM_DISK_IN_USE: {
    meaning: "Another process has one of its disks open, so the virtual machine was not started.",
    advice: "End that process, and try again.",
  },
  VM_TEMPLATE_UNUSABLE: {
    meaning:
      "The saved state of a machine that had booted cannot be used: it is damaged, or of another QEMU, kernel or agent. The machine has booted instead, which took longer and gives the same.",
    advice:
      "Nothing: a new template is saved. If it comes back without an upgrade, look at the disk that your cache folder is on.",
  },
  VM_DISK_FULL: {
    meaning: "The host has no space left for what the guest writes. The virtual machine waits.",
    advice: "Free some space: the machine goes on.",
  },
  VM_GUEST_TIMEOUT: {
    meaning: "The guest did not answer in time. The host may be busy, or the guest hangs.",
    advice: "Try again. The console log below boxes/ID/logs may tell what it waits for.",
  },
  VM_GUEST_PROTOCOL: {
    meaning: "What came from the guest is no answer of box's agent.",
    advice: "Start it again. If it comes back, the guest rootfs is damaged or holds another agent.",
  },
  VM_GUEST_FAILED: {
    meaning: "The guest started but could not get ready, such as mount a disk.",
    advice: "Look at the console log below boxes/ID/logs.",
  },
  VM_GUEST_NOT_READY: {
    meaning: "Commands can run once the guest is ready, and it is not.",
    advice: "Wait until the box is running: box inspect NAME.",
  },
  VM_STOP_FAILED: {
    meaning: "The process of the virtual machine did not end, not even when it was killed.",
    advice:
      "Look at the process that the details name: it may wait for a disk or a network file system.",
  },
  VM_EXEC_NOT_FOUND: {
    meaning: "There is no such program in the box.",
    advice: "Give the path of a program that is in the image.",
  },
  VM_EXEC_NOT_EXECUTABLE: {
    meaning: "The file is there, but may not be run, or is for another architecture.",
    advice: "Check its mode, and for which architecture the image is.",
  },
  VM_EXEC_NO_DIRECTORY: {
    meaning: "The folder in which the command was to run is not in the box.",
    advice: "Give a folder that is there.",
  },
  VM_EXEC_NO_USER: {
    meaning: "The box has no such user or group.",
    advice: "Give one of its /etc/passwd and /etc/group, or numbers.",
  },
  VM_EXEC_LIMIT: {
    meaning: "Too many commands run at once in the box.",
    advice: "Wait until another has ended.",
  },
  VM_STREAM_CLOSED: {
    meaning: "The command takes no more input: it has ended, or its input was closed.",
    advice: "Stop writing when the command has ended.",
  },
  VM_NO_PROGRAM: {
    meaning:
      "The box runs until it is stopped, without a program of its own, or its program has ended already.",
    advice: "Run a command in it with box exec, or make a box that runs for a program: box run -d.",
  },
  VM_FILE_NOT_FOUND: {
    meaning: "There is no such file or folder in the box.",
    advice: "Give a path that is in the box. A folder that files are to go into must be there.",
  },
  VM_FILE_FAILED: {
    meaning:
      "A file in the machine could not be read or written; the message has the system's reason.",
    advice: "The box's disk may be full or read-only, or something else may be in the way.",
  },
  VM_FILE_UNSUPPORTED: {
    meaning: "What was named is neither a file nor a folder nor a link, but a device, say.",
    advice: "Name a file, a folder or a link. Others below a folder are left out.",
  },
  VM_PORT_IN_USE: {
    meaning:
      "A port of this host could not be listened on: another program has it, the address is none of this host, or ports below 1024 need more rights.",
    advice: "Choose another port: -p 8080:80. Port 0 lets the system choose one.",
  },
  VM_PORT_REFUSED: {
    meaning: "Nobody in the machine listens on the port.",
    advice: "Start the program, and see that it listens on that port of the box's loopback.",
  },
};
