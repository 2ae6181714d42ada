import type { Qcow2Image, Snapshot } from "@box/qcow2";
import fc from "fast-check";
import { applyToModel, type DiskStep, diskSteps, runStep } from "./disk-script.ts";

/** A change of the snapshots; `which` chooses one of those that there are. */
export interface SnapshotStep {
  readonly kind: "create" | "apply" | "delete";
  readonly which: number;
}

/** A change of an image. */
export type ImageStep = DiskStep | SnapshotStep;

/** What an image must hold. */
export interface ImageModel {
  disk: Uint8Array;
  readonly snapshots: { readonly id: string; readonly name: string; readonly disk: Uint8Array }[];
}

/** Changes of a disk and its snapshots. */
export function imageSteps(
  size: number,
  clusterSize: number,
  maxLength: number,
): fc.Arbitrary<ImageStep[]> {
  const snapshotStep = fc.record({
    kind: fc.constantFrom("create", "create", "apply", "delete"),
    which: fc.nat(9),
  }) as fc.Arbitrary<SnapshotStep>;
  const few = diskSteps(size, clusterSize, 3);
  const part = fc.tuple(few, snapshotStep).map(([steps, last]): ImageStep[] => [...steps, last]);
  return fc
    .array(part, { minLength: 1, maxLength })
    .chain((parts) => few.map((rest) => [...parts.flat(), ...rest]));
}

/** Carries out a change of an image and of its model. Says whether there was anything to do. */
export async function runImageStep(
  image: Qcow2Image,
  model: ImageModel,
  step: ImageStep,
): Promise<boolean> {
  if ("offset" in step) {
    await runStep(image, step);
    await applyToModel(model.disk, step, image);
    return true;
  }
  const { kind, which } = step;
  if (kind === "create") {
    const name = `s${which}`;
    const { id } = await image.createSnapshot(name, { date: new Date(1_700_000_000_123) });
    model.snapshots.push({ id, name, disk: model.disk.slice() });
    return true;
  }
  const chosen = model.snapshots[which % Math.max(1, model.snapshots.length)];
  if (chosen === undefined) return false;
  if (kind === "apply") {
    await image.applySnapshot(chosen.id);
    model.disk = chosen.disk.slice();
  } else {
    await image.deleteSnapshot(chosen.id);
    model.snapshots.splice(model.snapshots.indexOf(chosen), 1);
  }
  return true;
}

/** What an image holds that differs from its model; empty when nothing does. */
export async function differences(image: Qcow2Image, model: ImageModel): Promise<string[]> {
  const found: string[] = [];
  const listed = (await image.snapshots()).map(({ id, name }: Snapshot) => `${id} ${name}`);
  const expected = model.snapshots.map(({ id, name }) => `${id} ${name}`);
  if (listed.join() !== expected.join()) return [`${listed.join()} is not ${expected.join()}`];
  for (const { id, disk } of model.snapshots) {
    const snapshot = await image.openSnapshot(id);
    if (!(await holds(snapshot, disk))) found.push(`snapshot ${id}`);
  }
  if (!(await holds(image, model.disk))) found.push("the disk");
  return found;
}

async function holds(image: Qcow2Image, disk: Uint8Array): Promise<boolean> {
  if (image.sizeBytes !== disk.byteLength) return false;
  return Buffer.compare(await image.read(0, disk.byteLength), disk) === 0;
}
