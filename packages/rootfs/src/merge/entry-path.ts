const slash = 0x2f;
const dot = 0x2e;

/** A path of a layer, taken apart. */
export interface EntryPath {
  /** The names from the root down, as bytes; none for the root itself. */
  readonly components: readonly Uint8Array[];
  /** Whether a `..` would have left the root. It was clamped there. */
  readonly isClamped: boolean;
}

/**
 * Takes a path of a layer apart: leading slashes, empty components and `.` fall away, `..` takes back the component
 * before it, and nothing climbs above the root. Purely textual; the components are views of `path`.
 */
export function parseEntryPath(path: Uint8Array): EntryPath {
  const components: Uint8Array[] = [];
  let isClamped = false;
  for (const component of splitPath(path)) {
    if (!isParent(component)) components.push(component);
    else if (components.pop() === undefined) isClamped = true;
  }
  return { components, isClamped };
}

/** The components of a path without the empty ones and `.`; `..` stays. */
export function splitPath(path: Uint8Array): Uint8Array[] {
  const components: Uint8Array[] = [];
  let start = 0;
  while (start < path.byteLength) {
    const found = path.indexOf(slash, start);
    const end = found === -1 ? path.byteLength : found;
    if (end > start && !(end === start + 1 && path[start] === dot)) {
      components.push(path.subarray(start, end));
    }
    start = end + 1;
  }
  return components;
}

/** The opposite of {@link splitPath}: a copy of the components with slashes between them. */
export function joinPath(components: readonly Uint8Array[]): Uint8Array {
  const length = components.reduce((sum, { byteLength }) => sum + byteLength + 1, -1);
  const path = new Uint8Array(length).fill(slash);
  let at = 0;
  for (const component of components) {
    path.set(component, at);
    at += component.byteLength + 1;
  }
  return path;
}

/** Whether a component is `..`. */
export function isParent(component: Uint8Array): boolean {
  return component.byteLength === 2 && component[0] === dot && component[1] === dot;
}

/** A path as text for people; bytes that are not UTF-8 become U+FFFD, and a long one is cut. */
export function displayEntryPath(path: Uint8Array): string {
  const shown = new TextDecoder().decode(path.subarray(0, maxShownBytes));
  return path.byteLength > maxShownBytes ? `${shown}...` : shown;
}

const maxShownBytes = 256;
