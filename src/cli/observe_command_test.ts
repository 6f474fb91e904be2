import { strict as assert } from "node:assert";
import type { FlowEvent } from "../telemetry/flow.ts";
import { FlowJson } from "../telemetry/flow_json.ts";
import { flowParts } from "../telemetry/testkit/flows.ts";
import { runCommand } from "./commands.ts";
import { eventText } from "./observe_text.ts";
import { serverSentEvents } from "./server_sent_events.ts";

const OPENED: FlowEvent = JSON.parse(
  new TextDecoder().decode(
    new FlowJson().event({ kind: "opened", time: Date.UTC(2026, 10, 30, 12, 0, 0, 123), parts: flowParts() }),
  ),
);
const REFUSED: FlowEvent = {
  ...OPENED,
  event: "ended",
  verdict: "denied",
  source: { address: "10.1.0.5:41000", workload: "front-1", namespace: "shop", identity: "spiffe://d/ns/shop/sa/f" },
  destination: { address: "10.1.0.9:15008", workload: "cart-1", namespace: "carts", identity: null },
  service: null,
  target: "10.1.0.9:8080",
  tls: null,
  bytesSent: 1234,
  bytesReceived: 0,
  age: 61_000,
  ending: { by: "us", how: "policy", phase: "authorizing" },
  error: "connection closed due to policy rejection: explicitly denied by: carts/no",
};

async function* pieces(...texts: string[]): AsyncGenerator<string> {
  for (const text of texts) yield await Promise.resolve(text);
}

async function run(args: string[], status: number, ...body: string[]) {
  const streams = { printed: "", complained: "" };
  const urls: string[] = [];
  const code = await runCommand(["observe", ...args], {
    columns: undefined,
    print: (text) => void (streams.printed += text),
    complain: (text) => void (streams.complained += text),
    read: () => Promise.reject(new Error("not used")),
    fetch: () => Promise.reject(new Error("not used")),
    post: () => Promise.reject(new Error("not used")),
    open(url) {
      urls.push(url);
      return status === 0
        ? Promise.reject(new Error("connection refused"))
        : Promise.resolve({ status, pieces: pieces(...body) });
    },
  }, "version");
  return { code, urls, ...streams };
}

Deno.test("ztunnel observe: one line for each event", async () => {
  const body = `: flows\n\ndata: ${JSON.stringify(OPENED)}\n\ndata: ${JSON.stringify(REFUSED)}\n\n`;
  // The body arrives in pieces of any size.
  const { code, printed, urls } = await run([], 200, body.slice(0, 100), body.slice(100, 101), body.slice(101));
  assert.deepEqual([code, urls], [0, ["http://127.0.0.1:15000/observe?last=20&follow=true"]]);
  assert.deepEqual(printed.split("\n"), [
    "12:00:00.123 outbound 10.1.0.5:41000 -> cart.shop.svc.cluster.local (10.2.0.10:80) opened  TLSv1.3 0af76519",
    "12:00:00.123 outbound shop/front-1 -> carts/cart-1 10.1.0.9:8080 ended   denied 1.2KB/0B 1m1s policy by us in " +
    "authorizing : connection closed due to policy rejection: explicitly denied by: carts/no HBONE 0af76519",
    "",
  ]);
});

Deno.test("ztunnel observe: colours for a terminal only, and none of them in the text of others", () => {
  assert.ok(eventText(REFUSED, true).includes("\x1b[33mdenied\x1b[0m"));
  assert.ok(!eventText(REFUSED, false).includes("\x1b"));
  const hostile = { ...REFUSED, error: "\x1b[2J\u202e", target: "a\nb" };
  assert.ok(eventText(hostile, false).includes("a?b") && eventText(hostile, false).includes(": ?[2J? "));
});

Deno.test("ztunnel observe: filters, JSON and events that were lost", async () => {
  const args = ["--json", "--namespace", "shop", "--verdict", "denied", "--last", "0", "--no-follow", "--admin", "h:1"];
  const { code, printed, complained, urls } = await run(args, 200, 'event: lost\ndata: 7\n\ndata: {"a":1}\n\n');
  assert.deepEqual([code, printed], [0, '{"a":1}\n']);
  assert.match(complained, /^7 events were lost/);
  assert.deepEqual(urls, ["http://h:1/observe?last=0&follow=false&namespace=shop&verdict=denied"]);
});

Deno.test("ztunnel observe: failures name the proxy and the cure", async () => {
  const refused = await run(["--older", "5"], 400, "invalid value of older\n");
  assert.deepEqual([refused.code, refused.complained], [
    1,
    "Error: the proxy at 127.0.0.1:15000 answers with status 400: invalid value of older\n",
  ]);
  assert.match((await run([], 404, "")).complained, /another or an older proxy/);
  const gone = await run([], 0);
  assert.equal(gone.code, 1);
  assert.match(gone.complained, /cannot observe the proxy at 127\.0\.0\.1:15000: connection refused\n.*--admin/);
  assert.equal((await run(["--verdict", "maybe"], 200)).code, 2);
});

Deno.test("server-sent events: comments and unknown fields are skipped, long events end the reading", async () => {
  const events: unknown[] = [];
  for await (const event of serverSentEvents(pieces(": c\n\nid: 1\ndata: a\ndata: b\n\nevent: x\ndata\n\ndata: cut"))) {
    events.push(event);
  }
  assert.deepEqual(events, [{ type: "message", data: "a\nb" }, { type: "x", data: "" }]);
  await assert.rejects(async () => {
    for await (const _ of serverSentEvents(pieces("data: ", "x".repeat(1 << 21))));
  }, /more than 1048576 characters/);
});
