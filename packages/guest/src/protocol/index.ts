export {
  type AgentFailure,
  type AgentStep,
  type ExplainedFailure,
  explainFailure,
  type FailedStep,
} from "./agent-failures.ts";
export { decodeHostMessage } from "./decode-host-message.ts";
export { encodeHostMessage } from "./encode-host-message.ts";
export {
  frameHeaderBytes,
  guestFrameTypes,
  hostFrameTypes,
  initialCreditBytes,
  maxCreditBytes,
  maxDataBytes,
  maxExecBytes,
  protocolVersion,
  type Sender,
} from "./frame-types.ts";
export { encodeFrame, type Frame, FrameDecoder } from "./frames.ts";
export {
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
export { programPlaces } from "./program-places.ts";
export { linuxSignalName, linuxSignals } from "./signals.ts";
export {
  encodeTreeRecord,
  type TreeEvent,
  type TreeRecord,
  TreeRecordDecoder,
} from "./tree-records.ts";
