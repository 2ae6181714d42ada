/** What a machine uses. */
export interface MachineStats {
  /** As the guest tells it, which may lie. */
  readonly guest: {
    /** Milliseconds since its kernel was started. */
    readonly uptimeMs: number;
    /** Processors. */
    readonly cpus: number;
    /** Milliseconds that they have worked since, all together. */
    readonly cpuMs: number;
    /** Its memory in bytes, without what the kernel itself takes. */
    readonly memoryBytes: number;
    /** What of it is in use, caches not counted. */
    readonly usedMemoryBytes: number;
    /** Size of the box's file system in bytes. */
    readonly diskBytes: number;
    /** What of it is in use. */
    readonly usedDiskBytes: number;
  };
  /** As the host sees it. */
  readonly host: {
    /** Memory of the machine's process in bytes, where the host tells it. */
    readonly memoryBytes?: number;
    /** Milliseconds of processor time that its process has used, where the host tells it. */
    readonly cpuMs?: number;
    /** Bytes that the guest has read from its disks. */
    readonly readBytes: number;
    /** Bytes that it has written to them. */
    readonly writtenBytes: number;
  };
}
