// Run in a process of its own: converts SOURCE to TARGET as FORMAT (raw, qcow2, zlib or zstd) and prints its peak memory in KiB.
import { openFile } from "@box/io/node";
import { convertImage } from "@box/qcow2";
import { openImageFile, openWorkerCodec } from "@box/qcow2/node";

const [from, to, format = ""] = process.argv.slice(2);
if (from !== undefined && to !== undefined) {
  await using source = await openImageFile(from);
  await using target = await openFile(to, { mode: "create" });
  await using codec = openWorkerCodec();
  const isCompressed = format === "zlib" || format === "zstd";
  await convertImage(source, target, {
    format: format === "raw" ? "raw" : "qcow2",
    ...(isCompressed && { compressed: format, codec }),
  });
}
process.stdout.write(String(process.resourceUsage().maxRSS));
