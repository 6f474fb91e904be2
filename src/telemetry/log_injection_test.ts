/** Text from peers (names, headers, errors) may be anywhere in a line, and cannot end it. */
import { strict as assert } from "node:assert";
import fc from "fast-check";
import { AccessLog } from "./access_log.ts";
import { bare } from "./log_fields.ts";
import { testLog } from "./testkit/log.ts";
import { TrafficLabels, type TrafficParties } from "./traffic_labels.ts";

/** Ends of lines and columns, terminal colours in both forms, right-to-left marks, lone surrogates. */
const HOSTILE = [
  "\n2026-01-01T00:00:00.000000Z\tinfo\taccess\tconnection complete\t",
  "\r",
  "\t",
  "\x1b[31m",
  "\x9b31m",
  "\x7f",
  "\0",
  "\u2028",
  "\u2029",
  "\u202e",
  "\u200b",
  "\ufeff",
  "\ud800",
  "\u{e0001}",
  '"',
  "\\",
  "}",
  " a=b",
  "ü漢🙂",
];
const text = fc.array(fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: "binary", maxLength: 4 })), {
  maxLength: 6,
}).map((parts) => parts.join(""));

const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}]/u;

Deno.test("log: any text in message, field, bare field or span gives one plain line of visible text", () => {
  fc.assert(fc.property(text, text, text, (message, field, span) => {
    const { log, lines } = testLog();
    log.scope("a", { name: "s", fields: { wl: bare(span), q: span } }).warn(message, { field, bare: bare(field) });
    const columns = lines().map((line) => line.split("\t"));
    assert.equal(columns.length, 1);
    assert.equal(columns[0]!.length, 5);
    for (const column of columns[0]!) assert.doesNotMatch(column, INVISIBLE);
  }));
});

Deno.test("log: any text gives one JSON line, from which it can be parsed back", () => {
  fc.assert(fc.property(text, text, text, (message, field, span) => {
    const { log, lines } = testLog({ format: "json" });
    log.scope("a", { name: "s", fields: { wl: bare(span), q: span } }).warn(message, { field, bare: bare(field) });
    const [line, ...more] = lines();
    assert.deepEqual(more, []);
    assert.doesNotMatch(line!, INVISIBLE);
    const { message: said, field: quoted, bare: shown, s } = JSON.parse(line!);
    assert.deepEqual([said, quoted, shown, s.wl, s.q], [message, field, field, span, span]);
  }));
});

Deno.test("access log: names of workloads, services and authorities cannot end a line or add a field", () => {
  for (const format of ["plain", "json"] as const) {
    fc.assert(fc.property(text, text, (name, authority) => {
      const { log, lines } = testLog({ format });
      const derived = { identity: name, workloadName: name, namespace: name, clusterId: name };
      const parties: TrafficParties = {
        reporter: "destination",
        source: null,
        derivedSource: derived,
        destination: null,
        derivedDestination: derived,
        service: { hostname: name, namespace: name, name },
        mutualTls: true,
      };
      const at = { ip: "10.0.0.1" as never, port: 80 };
      const ending = { by: "client", how: "fin", phase: "open" } as const;
      const times = { resolved: null, authorized: null, connected: null, handshaken: null, answered: null };
      const facts = {
        id: "0",
        traceparent: "0",
        continuesTrace: false,
        tls: null,
        carrier: null,
        attempt: 1,
        decision: null,
        startedAt: 0,
        times,
        original: at,
        dryRuns: [],
      };
      const firstBytes = { clientByte: null, serverByte: null };
      const subject = {
        direction: "inbound",
        source: at,
        destination: at,
        hboneTarget: authority,
        serviceHostname: name,
        sides: new TrafficLabels().sides(parties),
        mutualTls: true,
        facts,
      } as const;
      const access = new AccessLog(log, () => 0);
      access.complete(subject, { bytesSent: 0, bytesReceived: 0, duration: 0, error: name, ending, firstBytes });
      access.failed({ direction: "inbound", source: at, destination: at, error: name, facts, ending });
      assert.equal(lines().length, 2);
      for (const line of lines()) assert.doesNotMatch(line.replaceAll("\t", ""), INVISIBLE);
      if (format === "plain") assert.equal(lines()[0]!.split("\t").length, 5);
      else {
        const { error, "dst.service": service, "dst.hbone_addr": hbone } = JSON.parse(lines()[0]!);
        assert.deepEqual([error, service, hbone], [name, name, authority]);
      }
    }));
  }
});
