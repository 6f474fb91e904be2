import { strict as assert } from "node:assert";
import { LogFilter } from "./log_filter.ts";
import { requestedFilter, startFilter } from "./log_levels.ts";

function start(setting: string): LogFilter {
  const filter = startFilter(setting);
  assert.ok(filter instanceof LogFilter);
  return filter;
}

const START = start("info");

function ask(level: string | null, reset = false, current = START): string | null {
  return requestedFilter({ level, reset }, current, START)?.toString() ?? null;
}

Deno.test("config C24 a request without level and reset", () => {
  assert.equal(ask(""), "hickory_server::server=off,info");
  assert.equal(ask("", true), "hickory_server::server=off,info");
  assert.equal(ask(null), "hickory_server::server=off,info");
});

Deno.test("config C25 invalid level", () => assert.equal(ask("invalid_level", true), null));

for (const level of ["debug", "warn", "error", "trace", "off"]) {
  Deno.test(`config C26 reset and ${level}`, () => {
    assert.equal(ask(level, true, start("trace")), `hickory_server::server=off,${level}`);
  });
}

Deno.test("config C27 two clauses", () => {
  assert.equal(ask("access=debug,info", true), "hickory_server::server=off,access=debug,info");
});

Deno.test("config C28 access:debug (recommended: as access=debug)", () => {
  assert.equal(ask("access:debug"), "hickory_server::server=off,access=debug,info");
  assert.equal(ask("ztunnel::proxy:trace"), "hickory_server::server=off,ztunnel::proxy=trace,info");
  assert.equal(ask("ztunnel::debug"), null);
});

for (const level of ["DEBUG", "debug,", "1", "access", "a=b=c", "access:loud"]) {
  Deno.test(`config C28 "${level}" is refused`, () => assert.equal(ask(level), null));
}

Deno.test("config 4.6 a level is added to the current filter", () => {
  const current = start("warn,access=off");
  assert.equal(ask("access=info", false, current), "hickory_server::server=off,access=info,warn");
});

Deno.test("config C29, C30 start-up filters", () => {
  assert.equal(
    start("error,ztunnel::proxy=warn").toString(),
    "hickory_server::server=off,ztunnel::proxy=warn,error",
  );
  assert.equal(start("").toString(), "hickory_server::server=off,error");
  assert.equal(typeof startFilter("a=b=c"), "string");
});
