import { cliPages } from "./cli.ts";
import { ext4Pages } from "./ext4.ts";
import { generalPages } from "./general.ts";
import { guestPages } from "./guest.ts";
import { ioPages } from "./io.ts";
import { imagePages } from "./oci-images.ts";
import { orasPages } from "./oras.ts";
import type { CodePage } from "./page.ts";
import { pipelinePages } from "./pipeline.ts";
import { qcow2Pages } from "./qcow2.ts";
import { rootfsPages } from "./rootfs.ts";
import { runtimePages } from "./runtime.ts";
import { serverPages } from "./server.ts";
import { tarPages } from "./tar.ts";
import { vmPages } from "./vm.ts";

export {
  cliPages,
  ext4Pages,
  generalPages,
  guestPages,
  imagePages,
  ioPages,
  orasPages,
  pipelinePages,
  qcow2Pages,
  rootfsPages,
  runtimePages,
  serverPages,
  tarPages,
  vmPages,
};

const all = [
  cliPages,
  ext4Pages,
  generalPages,
  guestPages,
  ioPages,
  imagePages,
  orasPages,
  pipelinePages,
  qcow2Pages,
  rootfsPages,
  runtimePages,
  serverPages,
  tarPages,
  vmPages,
];

/** The page of a code, when there is one. */
export function findPage(code: string): CodePage | undefined {
  return all.find((pages) => Object.hasOwn(pages, code))?.[code];
}
