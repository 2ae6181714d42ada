import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type OpenRuntimeOptions, Runtime } from "@box/runtime";
import { onTestFinished } from "vitest";
import { FakeImages } from "./fake-images.ts";

/** A temporary folder that goes away with the test. Its path is canonical. */
export async function temporaryFolder(): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "box-runtime-")));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** An open runtime on a home of its own, with images that need no network. */
export async function openTestRuntime(
  options: Partial<OpenRuntimeOptions> = {},
): Promise<{ readonly runtime: Runtime; readonly images: FakeImages; readonly home: string }> {
  const images = new FakeImages();
  const home = options.home ?? join(await temporaryFolder(), "home");
  const runtime = await Runtime.open({ images, ...options, home });
  onTestFinished(() => runtime.close());
  return { runtime, images, home };
}
