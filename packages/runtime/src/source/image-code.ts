// What images need, to be loaded in one go and nothing else of the package with it.
export { formatImageReference, ImageStore, parseImageReference } from "@box/oci-images";
