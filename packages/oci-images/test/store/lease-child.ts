import { ImageStore } from "@box/oci-images";

/** A process of its own: leases an image of a store, says so, and stays until it is killed. */
const [folder = "", reference = ""] = process.argv.slice(2);
const store = await ImageStore.open(folder, { platform: { os: "linux", architecture: "amd64" } });
await store.lease(reference);
process.stdout.write("leased\n");
setInterval(() => {}, 1000);
