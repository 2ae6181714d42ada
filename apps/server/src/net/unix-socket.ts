import { createHash } from "node:crypto";
import { chmod, lstat, mkdir, mkdtemp, rename, rm, rmdir, stat, unlink } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { ServerError } from "../errors.ts";

/** The least of the systems' limits (macOS), without the closing zero byte. */
const maxPathBytes = 103;

/** The environment variables that decide where the socket is. */
export interface SocketEnv {
  /** A private folder of the user for sockets. */
  readonly XDG_RUNTIME_DIR?: string | undefined;
}

/** Where the server of a home listens unless told otherwise: short, private to the user, one for each home. */
export function defaultSocketPath(home: string, { XDG_RUNTIME_DIR }: SocketEnv): string {
  const hash = createHash("sha256").update(home).digest("hex").slice(0, 16);
  const base = XDG_RUNTIME_DIR?.startsWith("/")
    ? join(XDG_RUNTIME_DIR, "box")
    : join(tmpdir(), `box-${process.getuid?.() ?? "user"}`);
  return join(base, hash, "api.sock");
}

/** A socket that is bound, private and visible under its final name. */
export interface BoundSocket {
  /** Removes the name if it is still this socket's. */
  remove(): Promise<void>;
}

/**
 * Binds a server to a path so that nobody else can ever connect: in a fresh private folder, then mode 0600, then
 * renamed. A socket that a dead server left is replaced; a living server's is not.
 *
 * @throws {@link ServerError} `SERVER_ADDRESS_IN_USE`, `SERVER_SOCKET_REFUSED` or `SERVER_ADDRESS_INVALID`.
 */
export async function bindSocket(
  path: string,
  listen: (temporaryPath: string) => Promise<unknown>,
): Promise<BoundSocket> {
  const folder = dirname(path);
  if (
    Buffer.byteLength(join(folder, ".XXXXXX", "s")) > maxPathBytes ||
    Buffer.byteLength(path) > maxPathBytes
  ) {
    throw new ServerError({
      code: "SERVER_ADDRESS_INVALID",
      message: `the socket path ${path} is longer than ${maxPathBytes} bytes, which the system cannot bind`,
      hint: "choose a shorter path with --listen unix:///PATH",
    });
  }
  await ensurePrivateFolder(folder);
  await refuseOccupied(path);
  const staging = await mkdtemp(`${folder}/.`);
  const temporaryPath = join(staging, "s");
  try {
    await listen(temporaryPath);
    await chmod(temporaryPath, 0o600);
    await rename(temporaryPath, path);
  } catch (error) {
    await rm(staging, { recursive: true, force: true });
    throw error;
  }
  await rmdir(staging);
  const { ino, dev } = await lstat(path);
  return {
    remove: async () => {
      const now = await lstat(path).catch(() => undefined);
      if (now?.ino === ino && now.dev === dev) await unlink(path);
    },
  };
}

async function ensurePrivateFolder(folder: string): Promise<void> {
  const isNew = (await mkdir(folder, { recursive: true, mode: 0o700 })) !== undefined;
  if (isNew) return;
  const { uid, mode } = await stat(folder);
  const owner = process.getuid?.();
  const isSticky = (mode & 0o1000) !== 0;
  const isForeign = owner !== undefined && owner !== 0 && uid !== owner && !isSticky;
  const isOpen = (mode & 0o022) !== 0 && !isSticky;
  if (!isForeign && !isOpen) return;
  throw new ServerError({
    code: "SERVER_SOCKET_REFUSED",
    message: `others may change the folder ${folder}, so that they could replace the socket`,
    details: { path: folder, uid, mode: (mode & 0o7777).toString(8) },
    hint: `run: chmod 700 ${folder}, or choose another path with --listen`,
  });
}

async function refuseOccupied(path: string): Promise<void> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new ServerError({
      code: "SERVER_SOCKET_REFUSED",
      message: `${path} exists and is not a socket; it is left alone`,
      hint: "choose another path with --listen",
    });
  }
  if (await isAnswered(path)) {
    throw new ServerError({
      code: "SERVER_ADDRESS_IN_USE",
      message: `another server listens on ${path}`,
      hint: "use that one, end it, or choose another path with --listen",
    });
  }
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED" || error.code === "ENOENT") resolve(false);
      else reject(error);
    });
  });
}
