import { prepareOverlay } from "@box/rootfs";

/** Prepares a disk in a process of its own, for tests that inject failures into its system calls. */
const [path = "", basePath = "", quarantineDirectory = "", role = "", size = ""] =
  process.argv.slice(2);
const sizeBytes = Number(size);
const base = { path: basePath, sizeBytes };
try {
  const { outcome } = await prepareOverlay({
    path,
    role: role === "user" ? "user" : "guest",
    record: { type: "made", base: { ...base, format: "raw" } },
    policy: { recreateDisk: true },
    quarantineDirectory,
    base: async () => base,
  });
  process.stdout.write(JSON.stringify({ outcome }));
} catch (error) {
  const { code, kind, message } = error as { code: string; kind: string; message: string };
  process.stdout.write(JSON.stringify({ code, kind, message }));
}
