/** Our HTTP/2 with another implementation: `node:http2`, as client and as server, over loopback. */
import { strict as assert } from "node:assert";
import http2, {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type Http2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { once } from "node:events";
import { defaultOptions } from "./limits.ts";
import { ErrorCode, type HeaderList, type StreamHandler } from "./seam.ts";
import { concat, EndpointLog, OK, pattern, sendAll, StreamLog } from "./testkit/pair.ts";
import { SocketDriver } from "./testkit/socket.ts";

const AUTHORITY = "10.0.0.7:8080";
const REQUEST: HeaderList = [[":method", "CONNECT"], [":authority", AUTHORITY], ["baggage", "k8s.namespace.name=a"]];
const BULK = 6 << 20;

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; !condition(); turn++) {
    if (turn === 1_000_000) throw new Error("what the test waits for does not happen");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function listen(accept: (socket: Socket) => void): Promise<{ port: number; close: () => Promise<void> }> {
  return new Promise((resolve) => {
    const server = createServer(accept);
    server.listen(0, "127.0.0.1", () => {
      const close = () => new Promise<void>((done) => server.close(() => done()));
      resolve({ port: (server.address() as AddressInfo).port, close });
    });
  });
}

/** node's client, our server. */
async function withOurServer(
  use: (session: ClientHttp2Session, log: EndpointLog, driver: SocketDriver) => Promise<void>,
): Promise<void> {
  const log = new EndpointLog();
  let driver!: SocketDriver;
  const { port, close } = await listen((socket) => driver = new SocketDriver(socket, defaultOptions("server"), log));
  const session = http2.connect(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  await once(session, "connect");
  await until(() => driver !== undefined);
  await use(session, log, driver);
  session.destroy();
  await until(() => log.end !== null);
  await close();
}

/** Our client, node's server. */
async function withNodeServer(
  onStream: (stream: ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void,
  use: (driver: SocketDriver, log: EndpointLog, session: Http2Session) => Promise<void>,
): Promise<void> {
  const server = http2.createServer();
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    stream.on("error", () => {});
    onStream(stream, headers);
  });
  let session!: Http2Session;
  server.on("session", (s) => session = s);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const log = new EndpointLog();
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  await once(socket, "connect");
  const driver = new SocketDriver(socket, defaultOptions("client"), log);
  await until(() => log.events.includes("settings") && session !== undefined);
  await use(driver, log, session);
  driver.connection.drain(0);
  driver.flush();
  socket.destroy();
  await new Promise<void>((done) => server.close(() => done()));
}

function request(session: ClientHttp2Session, headers: Record<string, string> = {}): ClientHttp2Stream {
  const stream = session.request({ ":method": "CONNECT", ":authority": AUTHORITY, ...headers });
  stream.on("error", () => {});
  return stream;
}

function open(driver: SocketDriver): StreamLog {
  const log = new StreamLog();
  log.stream = driver.connection.open(REQUEST, log)!;
  return log;
}

async function readAll(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(new Uint8Array(chunk));
  return concat(chunks);
}

Deno.test("node's client, our server: bulk both ways at once, half-closed at different times", async () => {
  await withOurServer(async (session, log) => {
    const stream = request(session, { baggage: "x=y" });
    const [headers] = await once(stream, "response") as [Record<string, unknown>];
    assert.equal(headers[":status"], 200);
    const server = log.streams[0]!;
    assert.deepEqual(log.requests[0]!.slice(0, 2), REQUEST.slice(0, 2));
    sendAll(server, pattern(BULK, 1));
    stream.end(pattern(BULK, 2));
    assert.deepEqual(await readAll(stream), pattern(BULK, 1));
    await until(() => server.events.includes("end"));
    assert.deepEqual(server.body, pattern(BULK, 2));
    assert.equal(server.stream.closed, true);
  });
});

Deno.test("node's client, our server: half-close before the response", async () => {
  await withOurServer(async (session, log) => {
    const stream = request(session);
    stream.end("ping");
    await until(() => log.streams[0]?.events.includes("end") ?? false);
    sendAll(log.streams[0]!, new TextEncoder().encode("pong"));
    assert.equal(new TextDecoder().decode(await readAll(stream)), "pong");
  });
});

Deno.test("node's client, our server: many streams at once", async () => {
  await withOurServer(async (session, log) => {
    log.answer = (one) => {
      one.stream.respond(OK, false);
      one.onEnded = () => sendAll(one, one.body);
    };
    const bodies = await Promise.all(Array.from({ length: 150 }, (_, i) => {
      const stream = request(session);
      stream.end(pattern(1000 + i, i));
      return readAll(stream);
    }));
    bodies.forEach((body, i) => assert.deepEqual(body, pattern(1000 + i, i)));
  });
});

Deno.test("node's client, our server: resets of both sides carry their code", async () => {
  await withOurServer(async (session, log) => {
    const first = request(session);
    await once(first, "response");
    first.destroy(new Error("app failed"));
    await until(() => (log.streams[0]?.failure ?? null) !== null);
    assert.deepEqual([log.streams[0]!.failure!.by, log.streams[0]!.failure!.code], ["peer", ErrorCode.INTERNAL_ERROR]);

    const second = request(session);
    await once(second, "response");
    log.streams[1]!.stream.reset(ErrorCode.CONNECT_ERROR);
    await new Promise((done) => second.on("close", done));
    assert.equal(second.rstCode, ErrorCode.CONNECT_ERROR);
  });
});

Deno.test("node's client, our server: a drain lets streams finish", async () => {
  await withOurServer(async (session, log, driver) => {
    const stream = request(session);
    await once(stream, "response");
    driver.connection.drain(0);
    driver.flush();
    await once(session, "goaway");
    sendAll(log.streams[0]!, pattern(100_000));
    stream.end("bye");
    assert.equal((await readAll(stream)).length, 100_000);
    await until(() => log.end !== null);
    assert.equal(log.streams[0]!.text, "bye");
    assert.equal(log.end?.reason, "drained");
  });
});

Deno.test("node's client, our server: an ordinary request arrives with its body and its trailers", async () => {
  await withOurServer(async (session, log) => {
    log.answer = (one) => one.onEnded = () => one.stream.respond([[":status", "400"]], true);
    const stream = session.request(
      { ":method": "POST", ":path": "/x", "content-length": "4" },
      { waitForTrailers: true } as never,
    );
    stream.on("wantTrailers", () => stream.sendTrailers({ "x-sum": "1" }));
    stream.end("body");
    stream.resume();
    const closed = once(stream, "close");
    const [headers] = await once(stream, "response") as [Record<string, unknown>];
    assert.equal(headers[":status"], 400);
    assert.equal(log.streams[0]!.text, "body");
    await closed;
    assert.equal(log.streams[0]!.failure, null);
  });
});

Deno.test("node's client, our server: PING is answered", async () => {
  await withOurServer(async (session) => {
    await new Promise<void>((done, fail) => session.ping((error) => error === null ? done() : fail(error)));
  });
});

Deno.test("our client, node's server: bulk both ways at once", async () => {
  let received: Promise<Uint8Array> | undefined, seen: http2.IncomingHttpHeaders | undefined;
  await withNodeServer((stream, headers) => {
    seen = headers;
    stream.respond({ ":status": 200 });
    stream.end(pattern(BULK, 3));
    received = readAll(stream);
  }, async (driver) => {
    const log = open(driver);
    sendAll(log, pattern(BULK, 4));
    driver.flush();
    await until(() => log.events.includes("end"));
    assert.deepEqual(log.body, pattern(BULK, 3));
    assert.deepEqual(await received, pattern(BULK, 4));
    assert.equal(seen?.[":authority"], AUTHORITY);
    assert.equal(seen?.["baggage"], "k8s.namespace.name=a");
    await until(() => log.stream.closed);
  });
});

Deno.test("our client, node's server: a small window of the server is respected", async () => {
  await withNodeServer((stream) => {
    stream.respond({ ":status": 200 });
    stream.pause();
    setTimeout(() => stream.resume(), 0);
    stream.on("end", () => stream.end("got it"));
  }, async (driver) => {
    const log = open(driver);
    sendAll(log, pattern(1 << 20));
    driver.flush();
    await until(() => log.events.includes("end"));
    assert.equal(log.text, "got it");
    assert.ok(log.events.includes("ready"), "it had to wait for the window");
  });
});

Deno.test("our client, node's server: a refusal, a reset, trailers and an interim response", async () => {
  await withNodeServer((stream, headers) => {
    if (headers["x-want"] === "reset") stream.destroy(new Error("broken"));
    else if (headers["x-want"] === "trailers") {
      stream.additionalHeaders({ ":status": 103 });
      stream.respond({ ":status": 200 }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "x-sum": "1" }));
      stream.end("abc");
    } else stream.respond({ ":status": 503 }, { endStream: true });
  }, async (driver) => {
    const ask = (want: string) => {
      const log: StreamHandler & StreamLog = new StreamLog();
      log.stream = driver.connection.open([...REQUEST, ["x-want", want]], log)!;
      driver.flush();
      return log;
    };
    const refused = ask("refusal");
    await until(() => refused.events.includes("end"));
    assert.deepEqual(refused.headers![0], [":status", "503"]);
    const reset = ask("reset");
    await until(() => reset.failure !== null);
    assert.equal(reset.failure!.by, "peer");
    const trailers = ask("trailers");
    await until(() => trailers.events.includes("end"));
    assert.equal(trailers.text, "abc");
    assert.equal(trailers.headers!.find(([name]) => name === ":status")![1], "200");
  });
});

Deno.test("our client, node's server: after GOAWAY the stream goes on and no new one can be opened", async () => {
  await withNodeServer((stream) => {
    stream.respond({ ":status": 200 });
    stream.on("data", () => {});
    stream.on("end", () => stream.end("done"));
  }, async (driver, log, session) => {
    const one = open(driver);
    driver.flush();
    await until(() => one.headers !== null);
    session.close();
    await until(() => log.events.some((e) => e.startsWith("goaway")));
    assert.equal(driver.connection.canOpen, false);
    one.stream.end();
    driver.flush();
    await until(() => one.events.includes("end"));
    assert.equal(one.text, "done");
    await until(() => log.end !== null);
    assert.equal(log.end?.by, "peer");
  });
});
