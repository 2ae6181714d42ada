const writableByOthers = 0o022;

/**
 * Lets Node.js keep the code that it has compiled, in box's own cache folder.
 *
 * Whoever can write there can make this process run what he likes: without a folder that is this user's alone, nothing is kept. The usual
 * place, in the folder for temporary files, is anybody's who comes first.
 */
export function keepCompiledCode(env: Readonly<Record<string, string | undefined>>): void {
  // Asked for here, as what is imported is read by Node.js of every age.
  const { lstatSync, mkdirSync } = process.getBuiltinModule("node:fs");
  const { HOME, XDG_CACHE_HOME } = env;
  const cache = XDG_CACHE_HOME?.startsWith("/") ? XDG_CACHE_HOME : HOME && `${HOME}/.cache`;
  if (!cache?.startsWith("/")) return;
  const folder = `${cache}/box/code`;
  try {
    // A home that does not exist is not made: some users have none.
    for (const path of [cache, `${cache}/box`, folder]) {
      try {
        mkdirSync(path, { mode: 0o700 });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") return;
      }
    }
    for (const path of [`${cache}/box`, folder]) {
      const { uid, mode } = lstatSync(path);
      if (uid !== process.geteuid?.() || (mode & writableByOthers) !== 0) return;
    }
    process.getBuiltinModule("node:module").enableCompileCache(folder);
  } catch {
    // A cache only saves time.
  }
}
