export { sampleTimeSeconds } from "./entries.ts";
export {
  buildSampleImage,
  mediaTypes,
  type SampleDescriptor,
  type SampleImage,
  sampleEnv,
} from "./image.ts";
export { writeSampleLayout } from "./layout.ts";
export { greeting } from "./program/greeting.ts";
export { type Architecture, architectures, writeHello } from "./program/hello.ts";
export { pushSampleImage } from "./push.ts";
