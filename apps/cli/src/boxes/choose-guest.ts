import { parseImageReference } from "@box/oci-images";
import type { GuestRootfsChoice } from "@box/runtime";

/** What `--guest-rootfs` chooses: an image, or none. @throws As `parseImageReference`. */
export function chooseGuest(text: string): GuestRootfsChoice {
  if (text === "none") return { type: "initramfs" };
  parseImageReference(text);
  return { type: "disk", reference: text };
}
