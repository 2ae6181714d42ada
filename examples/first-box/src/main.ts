import process from "node:process";
import { Runtime } from "@box/runtime";

const [image = "oci:images/hello:latest", home = "boxes"] = process.argv.slice(2);
await using runtime = await Runtime.open({ home });
const { box } = await runtime.boxes.create({ image, name: "hello" });
for (const [role, disk] of Object.entries(box.disks)) {
  console.log(`${role} disk: ${disk.path}, changes on top of ${disk.base?.path}`);
}
await runtime.boxes.prepare("hello"); // before every start: judges both disks, keeps sound ones
