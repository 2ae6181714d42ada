import packageJson from "../../package.json" with { type: "json" };

/**
 * Runs box as this process and ends it.
 *
 * @param known - Is told which words are commands, once that is known.
 */
export async function main(known: (isCommand: (word: string) => boolean) => void): Promise<never> {
  const [first, ...rest] = process.argv.slice(2);
  // Asked for by scripts and prompts all the time: answered before anything else is loaded.
  if ((first === "--version" || first === "-V") && rest.length === 0) {
    if (await isWritten(`${packageJson.version}\n`)) process.exit(0);
  }
  const { commands, createProcessHost, runBox } = await import("./start.ts");
  known((word) => commands.some(({ path }) => path[0] === word));
  const host = createProcessHost();
  const exitCode = await runBox(host, { commands, version: packageJson.version });
  await host.drain();
  const isInterrupted = exitCode === 130;
  process.exit(isInterrupted ? (host.signalExitCode() ?? exitCode) : exitCode);
}

/** Whether stdout took the text; what to say when it did not is for the slower way to find out. */
function isWritten(text: string): Promise<boolean> {
  return new Promise((resolve) => {
    process.stdout.once("error", () => resolve(false));
    process.stdout.write(text, (error) => resolve(!error));
  });
}
