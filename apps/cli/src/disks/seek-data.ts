import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** A range of a file, from its first byte to the first one behind it. */
export type ByteRange = readonly [start: number, end: number];

/** SEEK_DATA is 3 and SEEK_HOLE 4 on Linux; `sysseek` hands them to the system as they are. */
const program = `
  open my $file, "<", $ARGV[0] or exit 1;
  my $end = 0;
  while (defined(my $data = sysseek($file, $end, 3))) {
    $end = sysseek($file, $data, 4);
    printf "%d %d\\n", $data, $end;
  }
  exit($!{ENXIO} ? 0 : 1);`;

/**
 * The ranges of a file that hold data, as its file system says. Node cannot ask (it has no lseek), so perl does, which is
 * a part of most systems; `undefined` where it is not, or where the system does not know holes.
 *
 * @param path - Absolute.
 */
export async function seekData(
  path: string,
  { env, signal }: { env: Readonly<Record<string, string | undefined>>; signal: AbortSignal },
): Promise<readonly ByteRange[] | undefined> {
  if (process.platform !== "linux") return undefined;
  const { PATH } = env;
  const child = spawn("perl", ["-MErrno", "-e", program, path], {
    env: { PATH, LC_ALL: "C" },
    stdio: ["ignore", "pipe", "ignore"],
    signal,
  });
  const ended = new Promise<boolean>((resolve) => {
    child.on("error", () => resolve(false));
    child.on("close", (status) => resolve(status === 0));
  });
  const ranges: ByteRange[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const [start = Number.NaN, end = Number.NaN] = line.split(" ").map(Number);
    ranges.push([start, end]);
  }
  return (await ended) ? ranges : undefined;
}
