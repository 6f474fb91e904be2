import { strict as assert } from "node:assert";
import { bare } from "./log_fields.ts";
import { LogFilter } from "./log_filter.ts";
import { LEVEL } from "./log_level.ts";
import { testLog } from "./testkit/log.ts";

/** 2026-08-20T12:00:00.000123Z */
const NOON = Date.UTC(2026, 7, 20, 12) * 1000 + 123;
const clock = () => NOON;

Deno.test("config 6.3 plain lines, as recorded", () => {
  const { log, lines } = testLog({ clock, filter: "debug" });
  log.event(LEVEL.info, "ztunnel", 'version: version.BuildInfo{Version:"8c1f", …}');
  log.event(LEVEL.info, "ztunnel::hyper_util", "listener established", {
    address: bare("127.0.0.1:15000"),
    component: "admin",
  });
  log.scope("ztunnel::proxy::inbound").info("listener established", {
    address: bare("[::]:15008"),
    component: "inbound",
    transparent: true,
  });
  log.scope("ztunnel::xds::client", { name: "xds", fields: { id: 1 } }).info("Stream established");
  const spans = [
    { name: "proxy", fields: { wl: bare("default/sleep") } },
    { name: "outbound", fields: { id: bare("4bf9") } },
  ];
  log.scope("ztunnel::proxy::outbound", ...spans).debug("connection started", { component: "outbound" });
  const time = "2026-08-20T12:00:00.000123Z";
  assert.deepEqual(lines(), [
    `${time}\tinfo\tztunnel\tversion: version.BuildInfo{Version:"8c1f", …}\t`,
    `${time}\tinfo\thyper_util\tlistener established\taddress=127.0.0.1:15000 component="admin"`,
    `${time}\tinfo\tproxy::inbound\tlistener established\taddress=[::]:15008 component="inbound" transparent=true`,
    `${time}\tinfo\txds::client:xds{id=1}\tStream established\t`,
    `${time}\tdebug\tproxy::outbound:proxy{wl=default/sleep}:outbound{id=4bf9}\tconnection started\t` +
    'component="outbound"',
  ]);
});

Deno.test("config 6.4 JSON lines, as recorded", () => {
  const { log, lines } = testLog({ clock, format: "json" });
  log.scope("ztunnel::xds::client", { name: "xds", fields: { id: 1 } }).info("Stream established");
  log.scope("ztunnel::proxy::inbound", { name: "local_client" }).info("listener established", {
    address: bare("[::]:15008"),
    component: 'in"bound',
    transparent: true,
    absent: null,
  });
  const head = '{"level":"info","time":"2026-08-20T12:00:00.000123Z","scope":';
  assert.deepEqual(lines(), [
    `${head}"ztunnel::xds::client","message":"Stream established","xds":{"id":1}}`,
    `${head}"ztunnel::proxy::inbound","message":"listener established","address":"[::]:15008",` +
    '"component":"in\\"bound","transparent":true,"local_client":{}}',
  ]);
});

Deno.test("inpod-dns B5.12 an event without a message", () => {
  const plain = testLog({ clock, filter: "dns=debug" });
  plain.log.event(LEVEL.debug, "dns", null, { query: "A", endpoints: 1 });
  assert.deepEqual(plain.lines(), ['2026-08-20T12:00:00.000123Z\tdebug\tdns\tquery="A" endpoints=1']);
  const json = testLog({ clock, filter: "dns=debug", format: "json" });
  json.log.event(LEVEL.debug, "dns", null, { query: "A" });
  assert.equal(json.lines()[0], '{"level":"debug","time":"2026-08-20T12:00:00.000123Z","scope":"dns","query":"A"}');
});

Deno.test("config 6.3 fields that begin with log. are not written", () => {
  const { log, lines } = testLog({ clock });
  log.scope("a").info("m", { "log.target": "x", b: 1 });
  assert.equal(lines()[0], "2026-08-20T12:00:00.000123Z\tinfo\ta\tm\tb=1");
});

Deno.test("config 6.2 a filter applies and can be replaced", () => {
  const { log, lines } = testLog({ filter: "warn,access=off" });
  const scope = log.scope("ztunnel::xds");
  assert.equal(scope.isEnabled(LEVEL.info), false);
  scope.info("not shown");
  log.scope("access").error("not shown");
  const filter = LogFilter.parse("info,x[{peer}]=debug");
  assert.ok(filter instanceof LogFilter);
  log.filter = filter;
  scope.info("shown");
  log.scope("x").debug("not shown", { other: 1 });
  log.scope("x").debug("shown too", { peer: 1 });
  assert.deepEqual(lines().map((line) => line.split("\t")[3]), ["shown", "shown too"]);
});

Deno.test("config 6.2 spans are filtered like events", () => {
  const { log, lines } = testLog({ filter: "warn" });
  log.scope("a", { name: "quiet" }, { name: "loud", level: LEVEL.warn }).error("m");
  assert.equal(lines()[0]?.split("\t")[2], "a:loud");
});
