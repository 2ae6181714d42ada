export type {
  BoxService,
  CloneRequest,
  CreateRequest,
  ExportRequest,
  OperationArchive,
  OperationRecord,
  OperationState,
  PrepareRequest,
  PruneRequest,
  ResizeRequest,
  ServiceEvent,
  SnapshotRequest,
  StartRequest,
  StopRequest,
  StorageService,
  WorkContext,
} from "./box-service.ts";
export { ServerError, type ServerErrorCode, serverErrorKinds } from "./errors.ts";
export { type ListenAddress, parseListenAddress } from "./net/listen-address.ts";
export { defaultSocketPath, type SocketEnv } from "./net/unix-socket.ts";
export type { Problem } from "./problem.ts";
export { runtimeBoxes } from "./runtime-boxes.ts";
export { type RunningServer, type ServeOptions, serve } from "./serve.ts";
export type { SupervisedBoxes } from "./supervision/supervisor.ts";
