import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** An ELF file of 64 bits with one segment of notes. */
export function sampleElf({ hasPvh = true }: { readonly hasPvh?: boolean } = {}): Buffer {
  const elf = Buffer.alloc(200);
  elf.write("7f454c4602010100", "hex");
  elf.writeBigUInt64LE(64n, 32);
  elf.writeUInt16LE(56, 54);
  elf.writeUInt16LE(1, 56);
  elf.writeUInt32LE(4, 64);
  elf.writeBigUInt64LE(120n, 72);
  elf.writeBigUInt64LE(48n, 96);
  // Another note first: GNU's, with 4 bytes.
  elf.writeUInt32LE(4, 120);
  elf.writeUInt32LE(4, 124);
  elf.write("GNU\0", 132, "latin1");
  elf.writeUInt32LE(4, 140);
  elf.writeUInt32LE(8, 144);
  elf.writeUInt32LE(hasPvh ? 18 : 17, 148);
  elf.write("Xen\0", 152, "latin1");
  return elf;
}

/** A bzImage with this payload. */
export function sampleBzImage(payload: Uint8Array, unpackedBytes: number): Buffer {
  const setup = Buffer.alloc(1024);
  setup.writeUInt8(1, 0x1f1);
  setup.write("HdrS", 0x202, "latin1");
  setup.writeUInt16LE(0x20f, 0x206);
  setup.writeUInt32LE(16, 0x248);
  setup.writeUInt32LE(payload.length + 4, 0x24c);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(unpackedBytes);
  return Buffer.concat([setup, Buffer.alloc(16), payload, size]);
}

/** Writes files below a folder. */
export function writeTree(
  root: string,
  files: Readonly<Record<string, string | Uint8Array>>,
): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
}

/** The modules of a kernel as a package has them: without `modules.dep`. */
export const sampleModules: Readonly<Record<string, string>> = {
  "modules.builtin": "kernel/fs/ext4/ext4.ko\n",
  "modules.order": [
    "kernel/drivers/block/virtio_blk.ko",
    "kernel/drivers/char/virtio_console.ko",
    "kernel/drivers/virtio/virtio.ko",
    "kernel/drivers/virtio/virtio_ring.ko",
    "kernel/drivers/virtio/virtio_pci.ko",
    "kernel/net/core/failover.ko",
    "kernel/drivers/net/net_failover.ko",
    "kernel/drivers/net/virtio_net.ko",
    "kernel/drivers/other/other.ko",
  ].join("\n"),
  "kernel/drivers/block/virtio_blk.ko": "blk\0depends=virtio,virtio_ring\0",
  "kernel/drivers/char/virtio_console.ko": "console\0depends=virtio,virtio_ring\0",
  "kernel/drivers/virtio/virtio.ko": "virtio\0depends=virtio_ring\0",
  "kernel/drivers/virtio/virtio_ring.ko": "ring\0depends=\0",
  "kernel/drivers/virtio/virtio_pci.ko": "pci\0depends=virtio-ring,virtio\0",
  "kernel/net/core/failover.ko": "failover\0depends=\0",
  "kernel/drivers/net/net_failover.ko": "net_failover\0depends=failover\0",
  "kernel/drivers/net/virtio_net.ko": "net\0depends=net_failover,virtio_ring,virtio\0",
  "kernel/drivers/other/other.ko": "other",
};
