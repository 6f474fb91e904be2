import { strict as assert } from "node:assert";
import { durationOf, numberOf, parseLogLine } from "./log_line.ts";

Deno.test("log line: fields of an access line, with and without quotes", () => {
  const text = "2026-01-02T03:04:05.000006Z\terror\taccess\tconnection complete\tsrc.addr=127.0.0.1:40568 " +
    'bytes_sent=78 duration="49ms" error="no \\"way\\" out"';
  const line = parseLogLine(text);
  assert.ok(line);
  assert.deepEqual([line.level, line.scope, line.message], ["error", "access", "connection complete"]);
  assert.equal(line.fields.get("src.addr"), "127.0.0.1:40568");
  assert.equal(line.fields.get("error"), 'no "way" out');
  assert.equal(line.words[3], 'error="no \\"way\\" out"');
  assert.deepEqual([numberOf(line, "bytes_sent"), durationOf(line)], [78, 49]);
  assert.ok(Number.isNaN(numberOf(line, "bytes_recv")));
});

Deno.test("log line: other text is not parsed", () => {
  for (const text of ["", "Error: failed to bind", "a\tb\tc\td\te"]) assert.equal(parseLogLine(text), null);
});
