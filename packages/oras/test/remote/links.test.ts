import { RemoteRepository } from "@box/oras";
import { scriptedServer } from "@box/test-support";
import { describe, expect, test } from "vitest";
import { parseLinks } from "../../src/remote/links.ts";
import { collect } from "../collect.ts";
import { testClient } from "../test-client.ts";

describe("links", () => {
  test.each<[string, readonly [string, ...string[]][]]>([
    ['</a>; rel="next"', [["/a", "next"]]],
    ["</a>; rel=next", [["/a", "next"]]],
    [
      '</a>;rel="First",</b>; title="x, <y>; z"; REL="prev NEXT"',
      [
        ["/a", "first"],
        ["/b", "prev", "next"],
      ],
    ],
    [
      '</a>; rel=nextmost, </b?x=1,2;y=3> ; a ; rel = "next"',
      [
        ["/a", "nextmost"],
        ["/b?x=1,2;y=3", "next"],
      ],
    ],
    ['</a>; title="\\"; rel=x"; rel="next"; rel="prev"', [["/a", "next"]]],
    ["</a>, </b>", [["/a"], ["/b"]]],
    ['</a>; rel="next', [["/a", "next"]]],
    ["nonsense", []],
    ["<a", []],
    ["", []],
  ])("of %j are %j", (header, links) => {
    const found = parseLinks(header).map(({ target, relations }) => [target, ...relations]);
    expect(found).toEqual(links);
  });

  test("to the next page are followed wherever they stand", async () => {
    const last = "/v2/app/tags/list?last";
    for (const link of [
      [`</v2/x>; rel="first", <${last}>; rel="next"`],
      ['</v2/x>; rel="prev"', `<${last}>; rel="next"`],
      [`</v2/x>; rel="nextmost", <${last}>; rel=next`],
    ]) {
      const server = await scriptedServer(({ url }, response) => {
        if (url === last) return response.end('{"tags":["b"]}');
        return response.writeHead(200, { link }).end('{"tags":["a"]}');
      });
      const repository = new RemoteRepository(testClient(), server.host, "app");
      expect(await collect(repository.tags())).toEqual(["a", "b"]);
    }
  });
});
