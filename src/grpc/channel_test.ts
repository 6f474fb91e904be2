import assert from "node:assert/strict";
import * as grpc from "@grpc/grpc-js";
import { Buffer } from "node:buffer";
import { TestClock } from "../identity/testkit/clock.ts";
import type { CallOptions, ChannelOptions } from "./channel.ts";
import { openChannel } from "./open_channel.ts";
import { describeStatus, GrpcError } from "./status.ts";
import {
  channelTo,
  framed,
  plainServer,
  rawServer,
  respond,
  type Serve,
  type Served,
  tlsServer,
} from "./testkit/server.ts";

const METHOD = "/test.Service/Call";

/** Returns the outcome of a call to `url`: lengths of messages, then `ok` or the error. */
async function outcome(
  url: string,
  options: Partial<ChannelOptions> = {},
  call?: CallOptions,
  onMessage = () => {},
): Promise<string> {
  const channel = openChannel(channelTo(url, options));
  const seen: string[] = [];
  try {
    const stream = await channel.open(METHOD, call);
    await stream.send(Uint8Array.of(1, 2, 3));
    for (let message = await stream.read(); message !== null; message = await stream.read()) {
      seen.push(String(message.length));
      onMessage();
    }
    seen.push("ok");
  } catch (error) {
    if (!(error instanceof GrpcError)) throw error;
    seen.push(`${error.stage}: ${describeStatus(error)}`.replaceAll(/:\d{4,5}\b/g, ":PORT"));
  } finally {
    channel.close();
  }
  return seen.join(" ");
}

/** Calls `then` after one message, when the call is open. */
const afterMessage = ({ stream, later }: Served, then: () => void) => {
  respond(stream, [], null);
  stream.write(framed(7), () => later(then));
};

const lost = 'call: status: Unknown, message: "connection to the server was lost", source: ';
const endings: readonly [what: string, serve: Serve, expected: string | RegExp][] = [
  ["messages, then OK", ({ stream }) => respond(stream, [7, 0, 300_000]), "7 0 300000 ok"],
  ["OK without a message", ({ stream }) => respond(stream, []), "ok"],
  [
    "trailers only",
    ({ stream }) =>
      stream.respond({
        ":status": 200,
        "content-type": "application/grpc",
        "grpc-status": "16",
        "grpc-message": "authentication%20failure",
      }, { endStream: true }),
    'call: status: Unauthenticated, message: "authentication failure" ' +
    "(hint: check the control plane logs for more information)",
  ],
  [
    "status after messages",
    ({ stream }) => respond(stream, [1], { "grpc-status": "7", "grpc-message": "100%" }),
    '1 call: status: PermissionDenied, message: "100%"',
  ],
  ["an undefined status", ({ stream }) => respond(stream, [], { "grpc-status": "99" }), /status: Unknown/],
  ["no status", ({ stream }) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc" });
    stream.end(framed(1));
  }, '1 call: status: Internal, message: "server ended the call without a status"'],
  ["HTTP error with a page", ({ stream }) => {
    stream.respond({ ":status": 503, "content-type": "text/html" });
    stream.end("<html>a page that is no message</html>");
  }, 'call: status: Unavailable, message: "server answered with HTTP status 503"'],
  ["a page with status 200", ({ stream }) => {
    stream.respond({ ":status": 200, "content-type": "text/html" });
    stream.end("<html></html>");
  }, /status: Unknown, message: "server answered with content type \\"text\/html\\", which is not gRPC"/],
  [
    "reset",
    (served) => afterMessage(served, () => served.stream.close(11)),
    '7 call: status: ResourceExhausted, message: "server reset the call: ENHANCE_YOUR_CALM"',
  ],
  [
    "cancelled",
    (served) => afterMessage(served, () => served.stream.close(8)),
    '7 call: status: Cancelled, message: "server reset the call: CANCEL"',
  ],
  [
    "refused",
    ({ stream }) => stream.close(7),
    'call: status: Unavailable, message: "server reset the call: REFUSED_STREAM"',
  ],
  ["connection reset", (served) => afterMessage(served, () => served.socket.resetAndDestroy()), /^7 .*was lost/],
  [
    "connection closed",
    (served) => afterMessage(served, () => served.socket.end()),
    `7 ${lost}the server closed it`,
  ],
  [
    "GOAWAY for too many pings",
    (served) =>
      afterMessage(served, () => {
        served.session.goaway(11, 0, Buffer.from("too_many_pings"));
        served.later(() => served.session.destroy());
      }),
    '7 call: status: ResourceExhausted, message: "server sent GOAWAY ENHANCE_YOUR_CALM \\"too_many_pings\\""',
  ],
  [
    "GOAWAY, then a hard close",
    (served) =>
      afterMessage(served, () => {
        served.session.goaway(0);
        served.later(() => served.session.destroy());
      }),
    '7 call: status: Unknown, message: "server sent GOAWAY NO_ERROR"',
  ],
  ["a message that is too long", ({ stream }) => {
    respond(stream, [], null);
    const prefix = framed(0);
    new DataView(prefix.buffer).setUint32(1, 5_000_000);
    stream.write(prefix);
  }, 'call: status: ResourceExhausted, message: "message of 5000000 bytes is longer than the limit of 4194304 bytes"'],
  ["a compressed message", ({ stream }) => {
    respond(stream, [], null);
    stream.write(framed(4, 1));
  }, 'call: status: Internal, message: "message with flag 1: compression was not offered"'],
  ["a message cut short by OK", ({ stream }) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(framed(40).subarray(0, 20));
  }, 'call: status: Internal, message: "server ended the call in the middle of a message"'],
];

for (const [what, serve, expected] of endings) {
  for (const security of ["plaintext", "TLS"]) {
    Deno.test(`a call over ${security} ends: ${what}`, async () => {
      await using server = security === "TLS" ? await tlsServer(serve) : await plainServer(serve);
      const scheme = security === "TLS" ? "https" : "http";
      const seen = await outcome(`${scheme}://localhost:${server.port}`);
      if (typeof expected === "string") assert.equal(seen, expected);
      else assert.match(seen, expected);
    });
  }
}

const connect = 'connect: status: Unavailable, message: "client error (Connect)", source: ';
const noGrpc =
  /^call: status: Unknown, message: "connection to the server was lost", source: .*is http:.* a gRPC port\?$/;

Deno.test("a call to a server that speaks HTTP/1.1", async () => {
  await using server = await rawServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  assert.match(await outcome(`http://127.0.0.1:${server.port}`), noGrpc);
});

Deno.test("a call to a server that closes at once", async () => {
  await using server = await rawServer((socket) => socket.end());
  assert.match(await outcome(`http://127.0.0.1:${server.port}`), noGrpc);
});

Deno.test("a call to a port without a listener", async () => {
  const expected = `${connect}tcp connect error: 127.0.0.1:1: Connection refused (os error 111)`;
  assert.equal(await outcome("http://127.0.0.1:1"), expected);
});

Deno.test("a call to a socket file that does not exist", async () => {
  const expected = `${connect}unix socket /nonexistent/sock: No such file or directory (os error 2)`;
  assert.equal(await outcome("unix:///nonexistent/sock"), expected);
});

Deno.test("a call to a name that does not resolve", async () => {
  assert.match(await outcome("http://name.invalid:1"), /source: dns error: failed to look up "name\.invalid": /);
});

Deno.test("plaintext to a TLS port, and TLS to a plaintext port", async () => {
  await using tls = await tlsServer(() => {});
  assert.match(await outcome(`http://127.0.0.1:${tls.port}`), noGrpc);
  await using plain = await plainServer(() => {});
  assert.match(await outcome(`https://localhost:${plain.port}`), /^connect: .*source: tls handshake error: /);
});

/** Waits for I/O without advancing the virtual clock. */
const pause = () => new Promise<void>((resolve) => setTimeout(resolve, 2));

/** Once `ready` returns true, advances the clock until the promise is settled. */
async function underVirtualTime<T>(clock: TestClock, ready: () => boolean, work: Promise<T>): Promise<T> {
  let settled = false;
  const watched = work.finally(() => settled = true);
  watched.catch(() => {});
  while (!settled) {
    await pause();
    if (ready()) await clock.advance(500);
  }
  return await watched;
}

for (
  const [scheme, expected] of [
    ["https", `${connect}tls handshake error: no end of it within 10 s`],
    ["http", 'call: status: Unavailable, message: "server sent no HTTP/2 settings in 10 s"'],
  ] as const
) {
  Deno.test(`a silent server ends the call: ${scheme}`, async () => {
    await using silent = await rawServer(() => {});
    const clock = new TestClock(Date.now());
    const work = outcome(`${scheme}://localhost:${silent.port}`, { clock });
    assert.equal(await underVirtualTime(clock, () => silent.connections === 1, work), expected);
    assert.equal(clock.timers, 0);
  });
}

Deno.test("a silent server ends the call: deadline", async () => {
  await using server = await plainServer(({ stream }) => respond(stream, [1], null));
  const clock = new TestClock(Date.now());
  let messages = 0;
  const work = outcome(`http://127.0.0.1:${server.port}`, { clock }, { timeout: 2000 }, () => messages++);
  const seen = await underVirtualTime(clock, () => messages === 1, work);
  assert.equal(seen, '1 call: status: DeadlineExceeded, message: "no answer within 2 s"');
  assert.equal(clock.timers, 0);
});

Deno.test("the deadline of a call does not move when the clock is set", async () => {
  for (const jump of [-3_600_000, 3_600_000]) {
    await using server = await plainServer(() => {});
    const clock = new TestClock(Date.now());
    const work = outcome(`http://127.0.0.1:${server.port}`, { clock }, { timeout: 60_000 });
    // The call has begun, and waits for its connection.
    clock.set(clock.now() + jump);
    const seen = await underVirtualTime(clock, () => server.connections === 1, work);
    assert.equal(seen, 'call: status: DeadlineExceeded, message: "no answer within 60 s"');
  }
});

Deno.test("a silent server ends the call: ping", async () => {
  let reading = true;
  await using server = await plainServer(({ stream, socket, later }) => {
    respond(stream, [1], null);
    later(() => {
      socket.pause();
      reading = false;
    });
  });
  const clock = new TestClock(Date.now());
  let messages = 0;
  const work = outcome(`http://127.0.0.1:${server.port}`, { clock }, {}, () => messages++);
  const seen = await underVirtualTime(clock, () => messages === 1 && !reading, work);
  assert.equal(seen, '1 call: status: Unavailable, message: "server did not answer an HTTP/2 ping within 10 s"');
  assert.equal(clock.timers, 0);
});

Deno.test("a server of @grpc/grpc-js: unary, streams, headers, over TCP and a Unix socket", async () => {
  const path = await Deno.makeTempFile();
  await Deno.remove(path);
  const bytes = (value: Buffer) => value;
  const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
    path: `/test.Service/${name}`,
    requestStream,
    responseStream,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  });
  const server = new grpc.Server();
  const seen: Record<string, grpc.MetadataValue[]> = {};
  server.addService(
    { Unary: method("Unary", false, false), Count: method("Count", false, true), Echo: method("Echo", true, true) },
    {
      Unary(call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) {
        for (const name of ["x-a", "authorization", "clusterid", "user-agent"]) seen[name] = call.metadata.get(name);
        done(null, call.request);
      },
      Count(call: grpc.ServerWritableStream<Buffer, Buffer>) {
        for (let i = 0; i < 3; i++) call.write(Buffer.alloc(i));
        call.end();
      },
      Echo(call: grpc.ServerDuplexStream<Buffer, Buffer>) {
        call.on("data", (chunk: Buffer) => call.write(chunk));
        call.on("end", () => call.end());
      },
    },
  );
  const insecure = grpc.ServerCredentials.createInsecure();
  const bind = (at: string) =>
    new Promise<number>((resolve, reject) =>
      server.bindAsync(at, insecure, (error, port) => error === null ? resolve(port) : reject(error))
    );
  const port = await bind("127.0.0.1:0");
  await bind(`unix:${path}`);
  for (const url of [`http://127.0.0.1:${port}`, `unix://${path}`]) {
    const channel = openChannel(channelTo(url, {
      headers: [["x-a", "one"], ["x-a", "two"], ["te", "nonsense"], ["authorization", "none"]],
      token: { source: { kind: "literal", token: "secret\n" }, clusterId: "Kubernetes" },
    }));
    const request = new TextEncoder().encode("request");
    assert.deepEqual(await channel.unary("/test.Service/Unary", request), request);
    assert.deepEqual(seen["x-a"], ["two"]);
    assert.deepEqual(seen["authorization"], ["Bearer secret"]);
    assert.deepEqual(seen["clusterid"], ["Kubernetes"]);
    assert.deepEqual(seen["user-agent"], ["ztunnel"]);
    const count = await channel.serverStream("/test.Service/Count", new Uint8Array());
    for (const expected of [0, 1, 2]) assert.equal((await count.read())?.length, expected);
    assert.equal(await count.read(), null);
    const echo = await channel.open("/test.Service/Echo");
    for (const size of [0, 1, 1_000_000]) {
      await echo.send(new Uint8Array(size).fill(7));
      const back = await echo.read();
      assert.deepEqual(back?.toBytes(), new Uint8Array(size).fill(7));
    }
    echo.end();
    assert.equal(await echo.read(), null);
    await assert.rejects(channel.unary("/test.Service/None", request), /does not implement the method/);
    channel.close();
  }
  await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
});
