// Run in a process of its own: what it costs to refuse a file of 1 KiB that claims a table of 4 GiB, as JSON.
import { MemoryFile } from "@box/io";
import { openImage, overlayBytes, type Qcow2Error } from "@box/qcow2";

/** `l1_size` of the header: 2^29 entries of 8 bytes. */
const l1SizeAt = 36;

const bytes = overlayBytes({ virtualSizeBytes: 2 ** 30, backingName: "b", backingFormat: "raw" });
const claim = bytes.slice(0, 1024);
new DataView(claim.buffer).setUint32(l1SizeAt, 2 ** 29);
const file = new MemoryFile(claim);

const before = process.memoryUsage().rss;
const start = performance.now();
const code = await openImage(file).then(
  () => "opened",
  (error: Qcow2Error) => error.code,
);
const milliseconds = performance.now() - start;
const megabytes = (process.memoryUsage().rss - before) / 2 ** 20;
process.stdout.write(JSON.stringify({ milliseconds, megabytes, code }));
