import { programPlaces } from "@box/guest/protocol";
import { expect, test } from "vitest";

test.each<[string, string, readonly string[], readonly string[]]>([
  ["a path is itself", "/a/b", ["PATH=/c"], ["/a/b"]],
  ["a path from the working folder too", "./b", [], ["./b"]],
  ["a name is in the folders of the PATH", "b", ["A=1", "PATH=/x:/y/z"], ["/x/b", "/y/z/b"]],
  ["the last PATH counts", "b", ["PATH=/x", "PATH=/y"], ["/y/b"]],
  ["an empty folder is the working folder", "b", ["PATH=:/x:"], ["./b", "/x/b", "./b"]],
  ["so is an empty PATH", "b", ["PATH="], ["./b"]],
  [
    "without a PATH there are the usual folders",
    "b",
    ["PATHS=/x"],
    ["/usr/local/sbin/b", "/usr/local/bin/b", "/usr/sbin/b", "/usr/bin/b", "/sbin/b", "/bin/b"],
  ],
  ["an empty name is nowhere", "", [], []],
  [
    "a path of 4096 bytes is left out: no file can have it",
    "ü".repeat(2046),
    ["PATH=/x:/xy"],
    [`/x/${"ü".repeat(2046)}`],
  ],
])("%s", (_, program, environment, places) => {
  expect(programPlaces(program, environment)).toEqual(places);
});
