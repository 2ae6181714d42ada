import { linuxSignals } from "@box/guest/protocol";
import type { EnvironmentEntry, MachineNetwork, PortForward } from "@box/vm";
import { requireSetting } from "./setting.ts";

/** What becomes of a box whose machine has ended by itself; honoured by the server. */
export type RestartPolicy =
  /** It stays stopped. */
  | { readonly type: "no" }
  /** It is started again when it failed, at most `maxRetries` times in a row; for ever unless given. */
  | { readonly type: "on-failure"; readonly maxRetries?: number | undefined }
  /** It is started again, unless somebody stopped it. */
  | { readonly type: "always" };

/** How a box runs. */
export interface RunSettings {
  /** Memory of its machine in MiB. */
  readonly memoryMiB: number;
  /** Processors of its machine. */
  readonly cpus: number;
  /** The program that it runs for, with its arguments; without one it runs until it is stopped. */
  readonly command?: readonly string[] | undefined;
  /**
   * Whether its program is its image's: the entry point, and as arguments the command above, or the image's own. Otherwise the
   * command above is the whole program.
   */
  readonly usesEntrypoint?: boolean | undefined;
  /** The entry point in place of the image's, whose own command goes with it; empty for none. */
  readonly entrypoint?: readonly string[] | undefined;
  /** By what signal its program is stopped, such as `SIGQUIT`; as the image says unless given, else `SIGTERM`. */
  readonly stopSignal?: string | undefined;
  /** The name of its host; its own name unless given. */
  readonly hostname?: string | undefined;
  /** More groups for its program and its commands, by names of the box or by numbers. */
  readonly groups?: readonly string[] | undefined;
  /** Variables for its program, added to those of its image. */
  readonly environment?: readonly EnvironmentEntry[] | undefined;
  /** Where its program runs; as the image says unless given. */
  readonly workingDirectory?: string | undefined;
  /** As whom its program runs: `USER[:GROUP]`; as the image says unless given. */
  readonly user?: string | undefined;
  /** Whether its program has a terminal, for who attaches to it. */
  readonly terminal?: boolean | undefined;
  /** Whether the input of its program stays open for who attaches to it. */
  readonly keepsInput?: boolean | undefined;
  /** Ports of the host that lead to ports of its loopback while it runs. */
  readonly forwards?: readonly PortForward[] | undefined;
  /** What its network card leads to; without one unless given. `user` lets it reach this host's own loopback too. */
  readonly network?: MachineNetwork | undefined;
  /** What becomes of it when its machine has ended by itself. */
  readonly restart: RestartPolicy;
}

/** How a box runs about which nothing else was said. */
export const defaultRunSettings: RunSettings = {
  memoryMiB: 256,
  cpus: 1,
  restart: { type: "no" },
};

const policies: readonly RestartPolicy["type"][] = ["no", "on-failure", "always"];
const maxRetriesLimit = 1_000_000;
const maxCommandBytes = 128 * 1024;
/** As many as the agent takes, with those of the user. */
const maxGroups = 32;
const hostnamePattern = /^[A-Za-z0-9][A-Za-z0-9.-]{0,62}$/;

/** Fills in what was not said. @throws RuntimeError `BOX_SETTING_INVALID`. */
export function checkRunSettings(given: Partial<RunSettings>): RunSettings {
  const { memoryMiB = 256, cpus = 1, command, restart = { type: "no" } } = given;
  requireSetting(isWithin(memoryMiB, 64, 1_048_576), "memoryMiB", "64 to 1048576");
  requireSetting(isWithin(cpus, 1, 256), "cpus", "1 to 256");
  if (command !== undefined) {
    const isCommand = command.length > 0 && command[0] !== "";
    requireSetting(isCommand, "command", "a program and its arguments, without NUL");
    checkWords("command", command);
  }
  requireSetting(policies.includes(restart.type), "restart", policies.join(" or "));
  if (restart.type === "on-failure" && restart.maxRetries !== undefined) {
    const { maxRetries } = restart;
    requireSetting(isWithin(maxRetries, 1, maxRetriesLimit), "restart.maxRetries", "1 to 1000000");
  }
  return {
    memoryMiB,
    cpus,
    ...(command === undefined ? {} : { command }),
    restart,
    ...changesOfImage(given),
    ...surroundings(given),
  };
}

function checkWords(name: string, words: readonly string[]): void {
  const bytes = words.reduce((sum, word) => sum + Buffer.byteLength(word) + 1, 0);
  requireSetting(!words.join("").includes("\0"), name, "texts without NUL");
  requireSetting(bytes <= maxCommandBytes, name, `at most ${maxCommandBytes} bytes`);
}

/** What is said about how the program starts and ends, and what it may do. */
function changesOfImage(given: Partial<RunSettings>): Partial<RunSettings> {
  const { entrypoint, stopSignal, groups, hostname } = given;
  const isHostname = hostname === undefined || hostnamePattern.test(hostname);
  requireSetting(isHostname, "hostname", "1 to 63 letters, digits, dots and hyphens");
  requireSetting(entrypoint?.[0] !== "", "entrypoint", "a program and arguments, or nothing");
  checkWords("entrypoint", entrypoint ?? []);
  const isSignal = stopSignal === undefined || Object.hasOwn(linuxSignals, stopSignal);
  requireSetting(isSignal, "stopSignal", "a signal such as SIGTERM");
  requireSetting(groups?.includes("") !== true, "groups", "names or numbers");
  requireSetting((groups ?? []).length <= maxGroups, "groups", `at most ${maxGroups}`);
  checkWords("groups", groups ?? []);
  return {
    ...(entrypoint === undefined ? {} : { entrypoint }),
    ...(stopSignal === undefined ? {} : { stopSignal }),
    ...(hostname === undefined ? {} : { hostname }),
    ...(groups === undefined || groups.length === 0 ? {} : { groups }),
  };
}

/** What is said about how the program runs. */
function surroundings(given: Partial<RunSettings>): Partial<RunSettings> {
  const { environment, workingDirectory, user, terminal, keepsInput, forwards, network } = given;
  for (const { hostPort, guestPort } of forwards ?? []) {
    requireSetting(isWithin(hostPort, 0, 65_535), "forwards.hostPort", "0 to 65535");
    requireSetting(isWithin(guestPort, 1, 65_535), "forwards.guestPort", "1 to 65535");
  }
  requireSetting(["none", "user"].includes(network ?? "none"), "network", "none or user");
  const isFolder = workingDirectory === undefined || isText(workingDirectory, "/");
  requireSetting(isFolder, "workingDirectory", "an absolute path, without NUL");
  requireSetting(user === undefined || isText(user, ""), "user", "USER[:GROUP], without NUL");
  if (environment !== undefined) {
    const texts = environment.map(([name, value]) => `${name}=${value}`);
    const isFine = environment.every(([name]) => name !== "" && !name.includes("="));
    requireSetting(isFine && !texts.join("").includes("\0"), "environment", "names and values");
    const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text) + 1, 0);
    requireSetting(bytes <= maxCommandBytes, "environment", `at most ${maxCommandBytes} bytes`);
  }
  return {
    ...(given.usesEntrypoint === true ? { usesEntrypoint: true } : {}),
    ...(environment === undefined ? {} : { environment }),
    ...(workingDirectory === undefined ? {} : { workingDirectory }),
    ...(user === undefined ? {} : { user }),
    ...(terminal === true ? { terminal } : {}),
    ...(keepsInput === true ? { keepsInput } : {}),
    ...(forwards === undefined ? {} : { forwards }),
    ...(network === "user" ? { network } : {}),
  };
}

function isText(text: string, start: string): boolean {
  return text !== "" && text.startsWith(start) && !text.includes("\0");
}

/** A policy as people write it: `no`, `always`, `on-failure` or `on-failure:N`. @throws RuntimeError `BOX_SETTING_INVALID`. */
export function parseRestartPolicy(text: string): RestartPolicy {
  const [, type, count] = /^(no|always|on-failure)(?::(\d{1,9}))?$/.exec(text) ?? [];
  const isPolicy = type !== undefined && (count === undefined || type === "on-failure");
  requireSetting(isPolicy, "restart", "no, always, on-failure or on-failure:N");
  if (type !== "on-failure") return { type: type === "always" ? "always" : "no" };
  const policy: RestartPolicy =
    count === undefined ? { type } : { type, maxRetries: Number(count) };
  return checkRunSettings({ restart: policy }).restart;
}

/** A policy as people write it. */
export function formatRestartPolicy(policy: RestartPolicy): string {
  if (policy.type !== "on-failure" || policy.maxRetries === undefined) return policy.type;
  return `${policy.type}:${policy.maxRetries}`;
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}
