import { strict as assert } from "node:assert";
import { iperfCommand, parseIperf, parseWrk, parseWrkTime, wrkCommand } from "./loads.ts";

const WRK = `Running 2s test @ http://10.77.0.2:8080/
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.35ms  613.17us  11.63ms   91.01%
    Req/Sec    24.56k     1.79k   27.01k    66.67%
  Latency Distribution
     50%    1.29ms
     75%  980.00us
     90%    1.80ms
     99%    3.72ms
  51200 requests in 2.00s, 9.03MB read
Requests/sec:  24422.11
Transfer/sec:      4.31MB
`;

Deno.test("wrk: rate and percentiles in microseconds", () => {
  assert.deepEqual(parseWrk(WRK), { requests: 51200, perSecond: 25600, p50: 1290, p99: 3720, errors: 0 });
});

Deno.test("wrk: failed connections and responses are counted", () => {
  const output = WRK.replace(
    "Requests/sec",
    "  Socket errors: connect 1, read 20, write 300, timeout 4000\n  Non-2xx or 3xx responses: 7\nRequests/sec",
  );
  assert.equal(parseWrk(output).errors, 4328);
});

Deno.test("wrk: a run without responses is refused", () => {
  assert.throws(() => parseWrk(WRK.replace("51200 requests", "0 requests")), /without an answered request/);
  assert.throws(() => parseWrk("unable to connect"), /number of requests/);
});

for (const [text, micros] of [["0.00us", 0], ["172.50us", 172.5], ["2.00s", 2e6], ["1.03m", 61.8e6]] as const) {
  Deno.test(`wrk: time ${text}`, () => assert.equal(Math.round(parseWrkTime(text) * 1000), Math.round(micros * 1000)));
}

Deno.test("wrk: a time without unit is refused", () => assert.throws(() => parseWrkTime("12"), /"12"/));

Deno.test("wrk: with one connection per request, the request has connection: close", () => {
  const argv = wrkCommand({ host: "h", port: 1, connections: 16, seconds: 2, connectionPerRequest: true });
  assert.ok(argv.join(" ").includes("-c16 -d2s --latency"));
  assert.ok(argv.includes("Connection: close"));
});

Deno.test("iperf3: received bytes are counted", () => {
  const sums = { sum_sent: { bytes: 9 }, sum_received: { bytes: 4000, bits_per_second: 16000 } };
  assert.deepEqual(parseIperf(JSON.stringify({ end: sums })), { bytes: 4000, omittedBytes: 0, bytesPerSecond: 2000 });
  const intervals = [true, true, false].map((omitted) => ({ sum: { bytes: 100, omitted } }));
  assert.equal(parseIperf(JSON.stringify({ intervals, end: sums })).omittedBytes, 200);
});

Deno.test("iperf3: an error is refused", () => {
  assert.throws(() => parseIperf(JSON.stringify({ end: {}, error: "the server is busy" })), /the server is busy/);
});

Deno.test("iperf3: command by bytes and by time", () => {
  const load = { host: "h", port: 2, streams: 8 } as const;
  const down = iperfCommand({ ...load, direction: "down", amount: { bytes: 5 } });
  assert.equal(down.join(" "), "iperf3 -J -c h -p 2 -P 8 -n 5 -R");
  const up = iperfCommand({ ...load, direction: "up", amount: { seconds: 3 } });
  assert.equal(up.join(" "), "iperf3 -J -c h -p 2 -P 8 -t 3");
  const later = iperfCommand({ ...load, direction: "up", amount: { seconds: 3 }, omitSeconds: 4 });
  assert.equal(later.join(" "), "iperf3 -J -c h -p 2 -P 8 -O 4 -t 3");
});
