import type { LuksDescription, LuksSlotDescription } from "../luks/describe.ts";
import type { QemuJson } from "./qemu-json.ts";

/** The part of `qemu-img info --output=json` that is about a LUKS header. */
export function toQemuLuks(luks: LuksDescription): Record<string, QemuJson> {
  const { cipherName, cipherMode, keyBytes } = luks;
  const [mode = "", ivGenerator = "", ivHash] = cipherMode.split(/[-:]/);
  // The key of XTS is two keys.
  const keyBits = (mode === "xts" ? keyBytes / 2 : keyBytes) * 8;
  return {
    format: "luks",
    "cipher-alg": `${cipherName}-${keyBits}`,
    "cipher-mode": mode,
    "ivgen-alg": ivGenerator,
    ...(ivHash !== undefined && { "ivgen-hash-alg": ivHash }),
    "hash-alg": luks.hashName,
    "payload-offset": luks.payloadOffset,
    "master-key-iters": luks.digestIterations,
    uuid: luks.uuid,
    slots: luks.slots.map(toQemuSlot),
  };
}

function toQemuSlot({
  isActive,
  iterations,
  stripes,
  keyOffset,
}: LuksSlotDescription): Record<string, QemuJson> {
  return {
    active: isActive,
    ...(iterations !== undefined && { iters: iterations }),
    ...(stripes !== undefined && { stripes }),
    "key-offset": keyOffset,
  };
}
