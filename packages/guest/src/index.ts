export {
  GuestError,
  type GuestErrorCode,
  type GuestErrorOptions,
  guestErrorKinds,
} from "./errors.ts";
export {
  type GuestArchitecture,
  guestArchitectures,
  parseGuestArchitecture,
} from "./image/architecture.ts";
export {
  type AssembleBootstrapImageOptions,
  assembleBootstrapImage,
  type BootstrapImage,
  type GuestDescriptor,
} from "./image/bootstrap-image.ts";
export { type KnownBootstrapImage, knownBootstrapImage } from "./image/known-image.ts";
