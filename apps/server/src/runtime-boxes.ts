import { isBoxError } from "@box/errors";
import type { BoxEvent, GuestRootfsChoice, Runtime } from "@box/runtime";
import type { BoxService, CreateRequest, WorkContext } from "./box-service.ts";

/** The boxes of a home, as the server offers them. The caller keeps the runtime open until the server has stopped. */
export function runtimeBoxes({ boxes, operations }: Runtime): BoxService {
  return {
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
  const { image, name, guestRootfs, diskSizeBytes, pull, labels, autoRemove } = request;
  return {
    image,
    name,
    ...(guestRootfs === undefined ? {} : { guestRootfs: chooseGuest(guestRootfs) }),
    ...(diskSizeBytes === undefined ? {} : { diskSizeBytes }),
    ...(pull === undefined ? {} : { pull }),
    ...(labels === undefined ? {} : { labels }),
    ...(autoRemove === undefined ? {} : { autoRemove }),
  };
}

function toContext({ operationId, signal, onEvent }: WorkContext) {
  return { operation: operationId, signal, onEvent: (event: BoxEvent) => onEvent(event) };
}

function chooseGuest(text: string): GuestRootfsChoice {
  return text === "none" ? { type: "initramfs" } : { type: "disk", reference: text };
}
