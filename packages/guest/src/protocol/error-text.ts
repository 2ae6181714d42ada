/** Error numbers of Linux that boxes meet, as its C library says them. */
const texts: Readonly<Record<number, string>> = {
  1: "Operation not permitted",
  2: "No such file or directory",
  5: "Input/output error",
  6: "No such device or address",
  7: "Argument list too long",
  8: "Exec format error",
  9: "Bad file descriptor",
  11: "Resource temporarily unavailable",
  12: "Out of memory",
  13: "Permission denied",
  16: "Resource busy",
  17: "File exists",
  18: "Cross-device link",
  20: "Not a directory",
  21: "Is a directory",
  22: "Invalid argument",
  24: "No file descriptors available",
  26: "Text file busy",
  27: "File too large",
  28: "No space left on device",
  30: "Read-only file system",
  31: "Too many links",
  36: "Filename too long",
  39: "Directory not empty",
  40: "Symbolic link loop",
  95: "Not supported",
  110: "Operation timed out",
  111: "Connection refused",
  117: "File system is damaged",
  122: "Quota exceeded",
  125: "Operation canceled",
};

/** What an error number means, for people. */
export function errorText(errno: number): string {
  return texts[errno] ?? `error ${errno}`;
}
