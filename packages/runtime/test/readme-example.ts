// biome-ignore-all lint/suspicious/noConsole: an example prints
import { Runtime } from "@box/runtime";

const [home = "", image = ""] = process.argv.slice(2);
await using runtime = await Runtime.open({ home });
const { box } = await runtime.boxes.create({
  image, // such as oci:/images/hello:v1 or docker.io/library/debian:bookworm-slim
  name: "web",
  onEvent: (event) => console.error(event.task, event.type),
});
console.log(box.disks.user?.path, box.disks.guest?.path);
const { container } = await runtime.boxes.prepare("web"); // judges both disks again
console.log(container.disk.outcome);
await runtime.boxes.remove("web");
