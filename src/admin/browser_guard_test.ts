import { strict as assert } from "node:assert";
import { guarded } from "./browser_guard.ts";
import { parseRequestHead } from "./request_head.ts";
import { type HttpResponse, plainText } from "./response.ts";

function ask(fields: string[], loopback: boolean): HttpResponse {
  const text = ["POST /quitquitquit HTTP/1.1", ...fields, "", ""].join("\r\n");
  const result = parseRequestHead(new TextEncoder().encode(text));
  assert.ok(result.kind === "head");
  return guarded(() => plainText(200, "done"), loopback)(result.head) as HttpResponse;
}

const ASKED: readonly [what: string, fields: string[], onLoopback: number, elsewhere: number][] = [
  ["localhost", ["Host: localhost:15000"], 200, 200],
  ["LocalHost without a port", ["Host: LocalHost"], 200, 200],
  ["a name below localhost", ["Host: node1.localhost:41234"], 200, 200],
  ["an IPv4 address", ["Host: 127.0.0.1:15000"], 200, 200],
  ["an IPv6 address", ["Host: [::1]:15000"], 200, 200],
  ["another address", ["Host: 10.0.0.7:15000"], 200, 200],
  ["no Host, as HTTP/1.0 allows", [], 200, 200],
  ["a name that DNS can point anywhere", ["Host: attacker.example:15000"], 403, 200],
  ["a name that begins like an address", ["Host: 127.0.0.1.attacker.example"], 403, 200],
  ["a name that ends like localhost", ["Host: notlocalhost:15000"], 403, 200],
  ["an empty Host", ["Host:"], 403, 200],
  ["brackets around a name", ["Host: [attacker.example]"], 403, 200],
  ["two Hosts", ["Host: localhost", "Host: attacker.example"], 403, 403],
  ["our own page", ["Host: localhost:15000", "Origin: http://localhost:15000"], 200, 200],
  ["another site", ["Host: localhost:15000", "Origin: https://attacker.example"], 403, 403],
  ["another port of this machine", ["Host: localhost:15000", "Origin: http://localhost:8080"], 403, 403],
  ["a page of no site, such as a file", ["Host: localhost:15000", "Origin: null"], 403, 403],
  ["another site by its own name", ["Host: proxy.example:15000", "Origin: http://proxy.example:15000"], 403, 200],
];

for (const [what, fields, onLoopback, elsewhere] of ASKED) {
  Deno.test(`admin guard: ${what}: ${onLoopback} on loopback, ${elsewhere} elsewhere`, () => {
    assert.equal(ask(fields, true).status, onLoopback);
    assert.equal(ask(fields, false).status, elsewhere);
  });
}

Deno.test("admin guard: a refusal says what to do", () => {
  assert.match(String(ask(["Host: a.example"], true).body), /^refused: use an IP address or localhost in the URL/);
});
