/** The signals of Linux by name, numbered as on amd64 and arm64: what a host's own table says may differ. */
export const linuxSignals: Readonly<Record<string, number>> = Object.fromEntries(
  [
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP",
    "TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS",
  ]
    .join(" ")
    .split(" ")
    .map((name, index) => [`SIG${name}`, index + 1]),
);

const names = new Map(Object.entries(linuxSignals).map(([name, number]) => [number, name]));

/** The name of a signal's number on Linux, such as `SIGKILL`; `SIG` and the number for those without a name. */
export function linuxSignalName(number: number): string {
  return names.get(number) ?? `SIG${number}`;
}
