import type { OwnEvent } from "./event.ts";
import type { AnyKey, ValuesOf } from "./key.ts";
import type { Task } from "./task.ts";

/** At least one task. */
export type TaskList = readonly [Task, ...Task[]];

/** Stands where a task stands whose input does not exist yet; no task is assignable to it. */
export interface MissingInput<Name extends string> {
  /** What the compiler shows. */
  readonly error: "a task needs a value that nothing before it provides";
  /** The values that are missing, or are provided with another type. */
  readonly missing: Name;
}

/** The keys of the values that some tasks provide. */
export type KeysOf<Tasks extends TaskList> = Tasks[number] extends infer Each
  ? Each extends Task<infer _Needs, infer Provides, infer _Own>
    ? Provides
    : never
  : never;

/** The events of some tasks' own. */
export type OwnOf<Tasks extends TaskList> = Tasks[number] extends infer Each
  ? Each extends Task<infer _Needs, infer _Provides, infer Own>
    ? Own
    : never
  : never;

/** The tasks themselves when each finds what it needs among `Available`; else a {@link MissingInput} in its place. */
export type InOrder<Tasks extends TaskList, Available extends AnyKey> = {
  readonly [Index in keyof Tasks]: Tasks[Index] extends Task<infer Needs, infer _Provides, OwnEvent>
    ? ValuesOf<Available> extends ValuesOf<Needs>
      ? Tasks[Index]
      : MissingInput<MissingNames<Available, Needs>>
    : Tasks[Index];
};

/** Like {@link InOrder}, when tasks may also take what the others of the list provide. */
export type NeedsMet<Tasks extends TaskList, Inputs extends AnyKey> = InOrder<
  Tasks,
  Inputs | KeysOf<Tasks>
>;

/** The names of the values in `Needs` that `Available` does not hold, or holds with another type. */
export type MissingNames<Available extends AnyKey, Needs extends AnyKey> = Needs extends AnyKey
  ? ValuesOf<Available> extends ValuesOf<Needs>
    ? never
    : Needs["name"]
  : never;
