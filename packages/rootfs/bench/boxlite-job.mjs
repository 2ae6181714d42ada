// The same with the npm package of BoxLite, from a folder where it is installed. There is no way to ask for the overlay
// alone: the start of a box is watched until its disk is there, and the process ends.
import { readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder = "", home = "", reference = "", host = ""] = process.argv.slice(2);
const entry = createRequire(join(folder, "package.json")).resolve("@boxlite-ai/boxlite");
const { JsBoxlite } = await import(pathToFileURL(entry).href);
const runtime = new JsBoxlite({
  homeDir: home,
  imageRegistries: [{ host, transport: "http", search: true }],
});
await runtime.images.pull(reference);
const box = await runtime.create({ image: reference }, "bench");
const failure = box.start().then(
  () => undefined,
  (error) => error,
);
const boxes = join(home, "boxes");
const isThere = () => {
  try {
    return readdirSync(boxes).some((id) => statSync(join(boxes, id, "disks/disk.qcow2")).size > 0);
  } catch {
    return false;
  }
};
let failed;
failure.then((error) => {
  failed = error;
});
while (!isThere()) {
  // Without KVM the start fails, but only after the disk is there.
  if (failed !== undefined && !isThere()) throw failed;
  await new Promise((resolve) => setTimeout(resolve, 2));
}
process.stdout.write(`overlay ${performance.now()}\n`);
process.exit(0);
