import { strict as assert } from "node:assert";
import fc from "fast-check";
import { LogFilter } from "./log_filter.ts";
import { LEVEL } from "./log_level.ts";

function filter(text: string): LogFilter {
  const parsed = LogFilter.parse(text);
  assert.ok(parsed instanceof LogFilter, String(parsed));
  return parsed;
}

const RENDERED: readonly (readonly [string, string, string])[] = [
  ["C24", "hickory_server::server=off,info", "hickory_server::server=off,info"],
  ["C27", "hickory_server::server=off,access=debug,info", "hickory_server::server=off,access=debug,info"],
  [
    "C29",
    "hickory_server::server=off,error,ztunnel::proxy=warn",
    "hickory_server::server=off,ztunnel::proxy=warn,error",
  ],
  ["C30", "hickory_server::server=off,", "hickory_server::server=off,error"],
  ["6.2 trailing comma", "info,", "error"],
  ["6.2 bare target", "access", "access=trace"],
  ["6.2 no trimming", "info, foo=debug", " foo=debug,info"],
  ["6.2 numbers", "a=0,b=1,c=2,d=3,e=4,f=5", "f=trace,e=debug,d=info,c=warn,b=error,a=off"],
  ["6.2 case", "DEBUG,a=Warn", "a=warn,debug"],
  ["6.2 empty level", "a=", "a=error"],
  ["6.2 fields", "a=info,a[{f}]=debug,b=warn", "a[{f}]=debug,b=warn,a=info"],
  ["6.2 replaced", "a=info,a=debug,info,warn", "a=debug,warn"],
];
for (const [id, text, rendered] of RENDERED) {
  Deno.test(`config ${id}: "${text}" renders as "${rendered}"`, () => {
    assert.equal(filter(text).toString(), rendered);
    assert.equal(filter(rendered).toString(), rendered);
  });
}

for (const text of ["a=b=c", "a=loud", "a[{f=info", "a[{f}][{g}]=info", "a[{f}x=info"]) {
  Deno.test(`config 6.2: "${text}" is refused`, () => assert.equal(typeof LogFilter.parse(text), "string"));
}

Deno.test("config 6.2 the longest prefix decides", () => {
  const f = filter("ztunnel=warn,ztunnel::proxy=debug,ztunnel::proxy::outbound=off,info");
  assert.equal(f.limit("ztunnel::proxy::inbound"), LEVEL.debug);
  assert.equal(f.limit("ztunnel::proxy::outbound"), LEVEL.off);
  assert.equal(f.limit("ztunnel::xds"), LEVEL.warn);
  assert.equal(f.limit("access"), LEVEL.info);
  assert.equal(filter("access=info").limit("dns"), LEVEL.off);
});

Deno.test("config 6.2 a clause with a field applies to events that have the field", () => {
  const f = filter("info,a[{peer}]=debug");
  assert.equal(f.limit("a"), LEVEL.debug);
  assert.equal(f.limit("a", ["peer"]), LEVEL.debug);
  assert.equal(f.limit("a", ["other"]), LEVEL.info);
});

Deno.test("config 6.2 any text is parsed or refused with a reason", () => {
  fc.assert(fc.property(fc.stringMatching(/^[a-c:=,\[\]{}0-9]{0,40}$/), (text) => {
    const parsed = LogFilter.parse(text);
    if (typeof parsed === "string") return assert.ok(parsed.length > 0);
    // A target without level may look like the beginning of a field, and its text is then parsed as one.
    if (!text.includes("[")) assert.equal(filter(parsed.toString()).toString(), parsed.toString());
  }));
});
