import { once } from "node:events";
import { cacheIn, countedRecipe } from "./cache-folder.ts";

/**
 * Ensures a base in a process of its own, once something comes on its input, so that several start together. With `hang`
 * it stops in the middle of the build, holding the lock.
 */
const [folder = "", mode = ""] = process.argv.slice(2);
process.stdout.write("ready\n");
await once(process.stdin, "data");
process.stdin.destroy();
const recipe = countedRecipe(folder);
/** Held, so that nothing of the build is garbage while it hangs. */
const never = Promise.withResolvers<void>();
const hanging = {
  ...recipe,
  layers: recipe.layers.map(({ diffId }) => ({
    diffId,
    async *open() {
      process.stdout.write("building\n");
      yield new Uint8Array(0);
      setInterval(() => never, 60_000);
      await never.promise;
    },
  })),
};
const { digest } = await cacheIn(folder).ensure(mode === "hang" ? hanging : recipe);
process.stdout.write(digest);
