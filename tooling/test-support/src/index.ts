export { type DebianImage, debianImage, findDebianImage } from "./debian-image.ts";
export {
  annOnly,
  certificateFolder,
  type DockerRegistryOptions,
  dockerRegistry,
  dockerRegistryProgram,
  startDockerRegistry,
} from "./docker-registry.ts";
export { drain } from "./drain.ts";
export {
  compileGuestProgram,
  muslLoader,
  type ProgramLinks,
} from "./guest-program.ts";
export { hasTool, run } from "./oracle-tools.ts";
export { outlives } from "./outlives.ts";
export {
  listen,
  type ScriptedServer,
  type SeenRequest,
  scriptedServer,
} from "./scripted-server.ts";
export { type SelfSigned, selfSigned } from "./self-signed.ts";
export { type TokenServerOptions, tokenServer } from "./token-server.ts";
