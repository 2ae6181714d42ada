import { isBoxError } from "@box/errors";
import type { BoxEvent, GuestRootfsChoice, Runtime } from "@box/runtime";
import type { BoxService, CreateRequest, WorkContext } from "./box-service.ts";

/** The boxes of a home, as the server offers them. The caller keeps the runtime open until the server has stopped. */
export function runtimeBoxes({ boxes, operations, storage }: Runtime): BoxService {
  return {
    start: (name, request, context) =>
      boxes.start(name, { ...given(request), ...toContext(context) }),
    stop: (name, request, context) =>
      boxes.stop(name, { ...given(request), ...toContext(context) }),
    restart: (name, request, context) =>
      boxes.restart(name, { ...given(request), ...toContext(context) }),
    clone: (name, request, context) => boxes.clone(name, { ...request, ...toContext(context) }),
    resize: (name, { sizeBytes }, context) => boxes.resize(name, sizeBytes, toContext(context)),
    export: (name, { path, ...request }, context) =>
      boxes.export(name, path, { ...given(request), ...toContext(context) }),
    listSnapshots: (name) => boxes.listSnapshots(name),
    createSnapshot: (name, { snapshot }, context) =>
      boxes.createSnapshot(name, snapshot, toContext(context)),
    restoreSnapshot: (name, { snapshot }, context) =>
      boxes.restoreSnapshot(name, snapshot, toContext(context)),
    removeSnapshot: async (name, snapshot) => {
      await boxes.removeSnapshot(name, snapshot);
    },
    storage: {
      usage: () => storage.usage(),
      prune: (request, signal) => storage.prune({ ...given(request), signal }),
    },
    list: () => boxes.list(),
    inspect: (name) => boxes.inspect(name),
    create: (request, context) => boxes.create({ ...toOptions(request), ...toContext(context) }),
    prepare: (name, { recreateDisk = false }, context) =>
      boxes.prepare(name, { recreateDisk, ...toContext(context) }),
    remove: async (name) => {
      await boxes.remove(name);
    },
    operations: {
      list: () => operations.list(),
      find: async (id) => {
        try {
          return await operations.get(id);
        } catch (error) {
          if (isBoxError(error) && error.code === "OPERATION_NOT_FOUND") return undefined;
          throw error;
        }
      },
      events: (id, after) => operations.events(id, { after }),
    },
  };
}

function toOptions(request: CreateRequest) {
  const { image, name, guestRootfs, diskSizeBytes, pull, labels, autoRemove, run } = request;
  return {
    image,
    name,
    ...(guestRootfs === undefined ? {} : { guestRootfs: chooseGuest(guestRootfs) }),
    ...(diskSizeBytes === undefined ? {} : { diskSizeBytes }),
    ...(pull === undefined ? {} : { pull }),
    ...(labels === undefined ? {} : { labels }),
    ...(autoRemove === undefined ? {} : { autoRemove }),
    ...(run === undefined ? {} : { run: given(run) }),
  };
}

/** Without the fields that were left out. */
function given<Fields extends object>(
  fields: Fields,
): { [Name in keyof Fields]: Exclude<Fields[Name], undefined> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as {
    [Name in keyof Fields]: Exclude<Fields[Name], undefined>;
  };
}

function toContext({ operationId, signal, onEvent }: WorkContext) {
  return { operation: operationId, signal, onEvent: (event: BoxEvent) => onEvent(event) };
}

function chooseGuest(text: string): GuestRootfsChoice {
  return text === "none" ? { type: "initramfs" } : { type: "disk", reference: text };
}
