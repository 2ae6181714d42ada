// biome-ignore-all lint/suspicious/noConsole: an example prints
import { definePlan, defineTask, type Key, key, runPlan } from "@box/pipeline";

const image: Key<"image", string> = key("image", { from: "pull" });
const pull = defineTask({
  name: "pull",
  provides: [image],
  timeoutMs: 60_000,
  retry: { attempts: 3, delayMs: 200 },
  run: async (_, { signal, progress, undo }) => {
    signal.throwIfAborted();
    undo(() => console.log("removing what was pulled"));
    progress({ done: 10, total: 10, unit: "bytes" });
    return { image: "alpine" };
  },
});
const boot = defineTask({ name: "boot", needs: [image], run: ({ image }) => console.log(image) });

// definePlan({ name: "start" }).stage([boot]) does not compile: nothing before it provides `image`.
const plan = definePlan({ name: "start" }).stage([pull]).stage([boot]);
const { metrics } = await runPlan(plan, { onEvent: (event) => console.log(event.type) });
console.log(metrics.criticalPath.tasks.join(" then "));
