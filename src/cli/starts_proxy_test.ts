import { strict as assert } from "node:assert";
import { startsProxy } from "./starts_proxy.ts";

for (const line of ["", "proxy", "proxy ztunnel", "proxy help", "proxy version"]) {
  Deno.test(`"ztunnel ${line}" starts the proxy, config 1.14`, () => assert.ok(startsProxy(words(line))));
}

for (
  const line of ["help", "version", "--help", "-h", "proxy --help", "proxy -h", "proxy ztunnel --help", "proxy --"]
) {
  Deno.test(`"ztunnel ${line}" does not start the proxy`, () => assert.ok(!startsProxy(words(line))));
}

function words(line: string): string[] {
  return line.split(" ").filter((word) => word !== "");
}
