import { ImageStore } from "@box/oci-images";

/** A process of its own: pulls an image into a store, reads its layers, and prints its digest. */
const [folder = "", reference = ""] = process.argv.slice(2);
const store = await ImageStore.open(folder, { platform: { os: "linux", architecture: "amd64" } });
const image = await store.pull(reference);
for (const layer of image.layers) for await (const _chunk of store.openLayer(layer));
process.stdout.write(`${image.digest}\n`);
