export { decodeHostMessage } from "./decode-host-message.ts";
export { encodeHostMessage } from "./encode-host-message.ts";
export {
  frameHeaderBytes,
  guestFrameTypes,
  hostFrameTypes,
  initialCreditBytes,
  maxControlBytes,
  maxCreditBytes,
  maxDataBytes,
  maxExecBytes,
  protocolVersion,
  type Sender,
} from "./frame-types.ts";
export { encodeFrame, type Frame, FrameDecoder } from "./frames.ts";
export {
  type AgentFailure,
  agentFailures,
  decodeGuestMessage,
  encodeGuestMessage,
  type GuestMessage,
} from "./guest-messages.ts";
export { type GuestStats, parseGuestStats } from "./guest-stats.ts";
export {
  type AgentTarget,
  type CallsMessage,
  type ExecMessage,
  type HelloMessage,
  type HostMessage,
  helloMagic,
} from "./host-messages.ts";
export type { ReadyReport } from "./reports.ts";
export { linuxSignalName, linuxSignals } from "./signals.ts";
export {
  encodeTreeRecord,
  type TreeEvent,
  type TreeRecord,
  TreeRecordDecoder,
} from "./tree-records.ts";
