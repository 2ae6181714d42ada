/** A moment in the life of a machine at which a test can make something happen. */
export type EngineStep =
  | "spawn" // before there is a process
  | "spawned" // the process is there, the caller does not know it yet
  | "attach"
  | "connect"
  | "initialize"
  | "exec"
  | "stop";
