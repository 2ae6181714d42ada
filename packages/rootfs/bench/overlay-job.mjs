// From a registry to a box's overlay, in a new home and a process of its own. Prints when the overlay was there, in
// milliseconds since the process started.
import { ImageStore } from "@box/oci-images";
import { BaseCache, layersOfImage, prepareOverlay } from "@box/rootfs";

const [home = "", reference = "", host = ""] = process.argv.slice(2);
const store = await ImageStore.open(`${home}/images`);
const cache = new BaseCache({ directory: `${home}/bases`, locksDirectory: `${home}/locks` });
const base = async () => {
  const image = await store.pull(reference, { insecureHosts: [host] });
  return await cache.ensure({ layers: layersOfImage(store, image) });
};
await prepareOverlay({
  path: `${home}/disk.qcow2`,
  role: "user",
  record: { type: "never-made" },
  quarantineDirectory: `${home}/quarantine`,
  base,
});
process.stdout.write(`overlay ${performance.now()}\n`);
