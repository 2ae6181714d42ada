import { execFile } from "node:child_process";
import { promisify } from "node:util";

/**
 * Kills one process and waits for the end of another: sleeps until the kernel says so, in a process of its own, so that a busy
 * event loop of the tests does not count. Times are the kernel's, in hundredths of a second. A process is at its end when it has
 * let go of all that it had, whether or not its parent has heard of that.
 */
const script = `
sub now { open my $file, "<", "/proc/uptime" or die; return (split " ", <$file>)[0]; }
my ($victim, $watched) = map { $_ + 0 } @ARGV;
my $pidfd_open = 434;
my $end = syscall($pidfd_open, $watched, 0);
die "no such process: $!" if $end < 0;
my $began = now();
kill 9, $victim or die "cannot kill: $!";
my $ends = "";
vec($ends, $end, 1) = 1;
select($ends, undef, undef, 60) or die "it lives on";
printf "%d", (now() - $began) * 1000;
`;

/** Kills a process. @returns How long another one has outlived it, in milliseconds. */
export async function outlives(victimPid: number, watchedPid: number): Promise<number> {
  const words = ["-e", script, String(victimPid), String(watchedPid)];
  const { stdout } = await promisify(execFile)("perl", words);
  return Number(stdout);
}
