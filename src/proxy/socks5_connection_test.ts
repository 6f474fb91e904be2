/** SOCKS5 clients end to end (`docs/spec/dataplane.md` 6, 10.7). The parser by itself: `src/proxy/socks5_test.ts`. */
import { strict as assert } from "node:assert";
import type { TestSocket } from "../hbone/testkit/socket.ts";
import { at, echo, Testbed, type TestNode, workloadAt } from "../dataplane/testkit/testbed.ts";

const CLIENT = "10.0.0.1", SERVER = "10.0.0.2";
const GREETING = [5, 1, 0];
const SUCCESS = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
const failed = (code: number) => [5, code, 0, 1, 0, 0, 0, 0, 0, 0];

function request(to: string): number[] {
  const { ip, port } = at(to);
  return [5, 1, 0, 1, ...ip.split(".").map(Number), port >> 8, port & 255];
}

interface Scene {
  readonly bed: Testbed;
  readonly node: TestNode;
  readonly socket: TestSocket;
}

function scene(): Scene {
  const bed = new Testbed();
  const node = bed.node("client", CLIENT, { env: { UNSTABLE_ENABLE_SOCKS5: "true" } });
  bed.host(SERVER);
  const socket = bed.connect(CLIENT, "127.0.0.1:15080");
  return { bed, node, socket };
}

function say({ bed, socket }: Scene, bytes: readonly number[]): number[] {
  const before = socket.count;
  socket.send(Uint8Array.from(bytes));
  bed.run();
  return [...socket.bytes.subarray(before)];
}

Deno.test("dataplane SO-01 TE-11 TE-12 to a plain workload: replies, bytes, counters while open and after", () => {
  const here = scene();
  const { bed, node, socket } = here;
  bed.listen(`${SERVER}:8080`, echo);
  assert.deepEqual(say(here, GREETING), [5, 0]);
  assert.deepEqual(say(here, request(`${SERVER}:8080`)), SUCCESS);
  assert.deepEqual(node.traffic, { opened: 1, received: 0, sent: 0, closed: {}, failed: {} });
  assert.equal(
    new TextDecoder().decode(Uint8Array.from(say(here, [...new TextEncoder().encode("hello world")]))),
    "hello world",
  );
  assert.equal(node.traffic.closed["-"], undefined);
  socket.end();
  bed.run();
  assert.equal(socket.fate, "fin");
  assert.deepEqual(node.traffic, { opened: 1, received: 11, sent: 11, closed: { "-": 1 }, failed: {} });
  assert.match(node.accessLine, /^info connection complete src\.addr=127\.0\.0\.1:\d+ /);
  bed.assertClean();
});

Deno.test("dataplane SO-01 over HBONE, all in one flight: bytes behind the request are the first of the payload", () => {
  const here = scene();
  const { bed, socket } = here;
  const server = bed.node("server", SERVER);
  const apps = bed.listen(`${SERVER}:8080`, echo);
  const early = new TextEncoder().encode("early");
  const answer = say(here, [...GREETING, ...request(`${SERVER}:8080`), ...early]);
  assert.deepEqual(answer, [5, 0, ...SUCCESS, ...early]);
  assert.equal(apps[0]!.text, "early");
  socket.send("later").end();
  bed.run();
  assert.equal(apps[0]!.text, "earlylater");
  assert.equal(socket.fate, "fin");
  assert.equal(server.traffic.received, 10);
  bed.assertClean();
});

Deno.test("a domain that is a literal address needs no resolver", () => {
  const here = scene();
  here.bed.listen(`${SERVER}:8080`, echo);
  const host = [...new TextEncoder().encode(SERVER)];
  assert.deepEqual(say(here, [...GREETING, 5, 1, 0, 3, host.length, ...host, 8080 >> 8, 8080 & 255]), [
    5,
    0,
    ...SUCCESS,
  ]);
  here.socket.end();
  here.bed.run();
  here.bed.assertClean();
});

interface Refused {
  readonly vector: string;
  readonly bytes: readonly number[];
  readonly reply: readonly number[];
  readonly message: string;
}

const HOST = [...new TextEncoder().encode("local.example")];
const REFUSED: readonly Refused[] = [
  { vector: "SO-03", bytes: [4, 1], reply: failed(7), message: "CommandNotSupported: unsupported version 4" },
  { vector: "SO-04", bytes: [5, 0], reply: failed(7), message: "CommandNotSupported: methods cannot be zero" },
  {
    vector: "SO-05",
    bytes: [5, 1, 2],
    reply: failed(7),
    message: "CommandNotSupported: only unauthenticated is supported",
  },
  {
    vector: "SO-06",
    bytes: [...GREETING, 5, 2, 0, 1, 1, 2, 3, 4, 0, 80],
    reply: [5, 0, ...failed(7)],
    message: "CommandNotSupported: unsupported command 2",
  },
  {
    vector: "SO-07",
    bytes: [...GREETING, 5, 1, 0, 5, 1, 2],
    reply: [5, 0, ...failed(7)],
    message: "CommandNotSupported: unsupported address type 5",
  },
  {
    vector: "SO-08",
    bytes: [...GREETING, 5, 1, 0, 3, HOST.length, ...HOST, 0, 80],
    reply: [5, 0, ...failed(7)],
    message: "CommandNotSupported: unsupported hostname lookup, requires DNS enabled",
  },
  {
    vector: "garbage",
    bytes: [...new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n")],
    reply: failed(7),
    message: "CommandNotSupported: unsupported version 71",
  },
];

for (const { vector, bytes, reply, message } of REFUSED) {
  Deno.test(`dataplane ${vector} ${message}`, () => {
    const here = scene();
    assert.deepEqual(say(here, bytes), reply);
    assert.equal(here.socket.fate, "fin");
    assert.equal(
      here.node.lines.at(-1),
      `warn proxy::socks5:socks5{id=${"5a".repeat(16)}} failed to negotiate socks connection: ${message}`,
    );
    assert.deepEqual(here.node.series, []);
    here.bed.assertClean();
  });
}

Deno.test("dataplane SO-10 the client ends in the middle of its greeting", () => {
  const here = scene();
  here.socket.send(Uint8Array.of(5, 1)).end();
  here.bed.run();
  assert.deepEqual([...here.socket.bytes], failed(1));
  assert.match(
    here.node.lines.at(-1)!,
    /^warn proxy::socks5:socks5\{id=5a+\S+\} failed to negotiate socks connection: General: io error: /,
  );
  here.bed.assertClean();
});

Deno.test("the client resets in the middle of its greeting", () => {
  const here = scene();
  here.socket.send(Uint8Array.of(5, 1));
  here.bed.run();
  here.socket.reset();
  here.bed.run();
  assert.match(
    here.node.lines.at(-1)!,
    /^warn proxy::socks5:socks5\{id=5a+\S+\} failed to negotiate socks connection: General: io error: Connection reset by peer/,
  );
  here.bed.assertClean();
});

Deno.test("a client that is silent or sends slowly is disconnected after ten seconds", () => {
  for (const first of [[], [5, 1], GREETING]) {
    const here = scene();
    say(here, first);
    for (let second = 0; second < 9; second++) {
      here.bed.advance(1000);
      // One more byte of a request in each second.
      if (first === GREETING) say(here, request(`${SERVER}:8080`).slice(second, second + 1));
    }
    assert.equal(here.socket.fate, "open");
    here.bed.advance(1000);
    assert.equal(here.socket.fate, "fin");
    assert.match(
      here.node.lines.at(-1)!,
      /^warn proxy::socks5:socks5\{id=5a+\S+\} .* the client did not say within 10000 ms what it wants/,
    );
    here.bed.assertClean();
  }
});

Deno.test("dataplane SO-11 the target refuses: the reply was a success, then the connection ends", () => {
  const here = scene();
  assert.deepEqual(say(here, [...GREETING, ...request(`${SERVER}:8080`)]), [5, 0, ...SUCCESS]);
  assert.equal(here.socket.fate, "reset");
  assert.match(here.node.accessLine, /^error .* error="io error: Connection refused \(os error 111\)"$/);
  here.bed.assertClean();
});

for (const port of [15008, 15080]) {
  Deno.test(`dataplane SO-12 the target is the proxy itself, port ${port}`, () => {
    const here = scene();
    assert.deepEqual(say(here, [...GREETING, ...request(`127.0.0.1:${port}`)]), [5, 0, ...SUCCESS]);
    assert.equal(here.socket.fate, "reset");
    assert.match(here.node.accessLine, /^warn connection failed .* error="attempted recursive call to ourselves"$/);
    here.bed.assertClean();
  });
}

Deno.test("a drain between negotiation and connection waits for the connection", () => {
  const here = scene();
  const { bed, node, socket } = here;
  bed.apply(workloadAt("server", SERVER, { protocol: "TCP" }));
  bed.listen(`${SERVER}:8080`, echo);
  say(here, GREETING);
  node.drain(60_000);
  bed.run();
  assert.equal(node.drained, false);
  assert.deepEqual(say(here, [...request(`${SERVER}:8080`), 65]), [...SUCCESS, 65]);
  assert.equal(node.drained, false);
  socket.end();
  bed.run();
  assert.equal(node.drained, true);
  assert.match(node.accessLine, /^info .* bytes_sent=1 bytes_recv=1 /);
  bed.assertClean();
});
