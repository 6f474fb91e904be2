/** How a channel keeps and replaces its connection, and how calls are cancelled. */
import assert from "node:assert/strict";
import { eventually } from "../../lab/eventually.ts";
import { tempDir } from "../../lab/temp_dir.ts";
import { parseCertificate } from "../identity/certificate.ts";
import type { Certificate } from "../identity/certificate.ts";
import { Buffer } from "node:buffer";
import { createPrivateKey } from "node:crypto";
import { createSecureServer } from "node:http2";
import type { TLSSocket } from "node:tls";
import type { TlsSecurity } from "./channel.ts";
import { openChannel } from "./open_channel.ts";
import { namedServer } from "./server_trust.ts";
import { Code, GrpcError } from "./status.ts";
import {
  channelTo,
  framed,
  ipName,
  plainServer,
  respond,
  ROOT,
  ROOT_PEM,
  type Served,
  serverIdentity,
  targetOf,
  TestServer,
  tlsServer,
} from "./testkit/server.ts";

const METHOD = "/test.Service/Call";
const NOTHING = new Uint8Array();
const echo = ({ stream }: Served) => respond(stream, [1]);

/** Returns the code with which a promise is rejected. */
async function failure(work: Promise<unknown>): Promise<number | string> {
  try {
    await work;
    return "nothing failed";
  } catch (error) {
    return error instanceof GrpcError ? error.code : String(error);
  }
}

Deno.test("calls share a connection, also those started while it is being opened", async () => {
  await using server = await tlsServer(echo);
  const channel = openChannel(channelTo(`https://localhost:${server.port}`));
  await Promise.all([1, 2, 3].map(() => channel.unary(METHOD, NOTHING)));
  await channel.unary(METHOD, NOTHING);
  assert.equal(server.connections, 1);
  channel.close();
});

Deno.test("after GOAWAY the next call gets a new connection, and the old call continues", async () => {
  const held: Served[] = [];
  await using server = await plainServer((served) => {
    if (held.length > 0) return respond(served.stream, [2]);
    held.push(served);
    respond(served.stream, [1], null);
  });
  const channel = openChannel(channelTo(`http://localhost:${server.port}`));
  const old = await channel.serverStream(METHOD, NOTHING);
  assert.equal((await old.read())?.length, 1);
  held[0]!.session.goaway(0);
  await eventually("a second connection", async () => {
    // A call sent before the GOAWAY arrives is refused and may be retried.
    const code = await failure(channel.unary(METHOD, NOTHING));
    assert.ok(code === "nothing failed" || code === Code.Unavailable, `code ${code}`);
    return server.connections === 2;
  });
  held[0]!.stream.write(framed(3));
  assert.equal((await old.read())?.length, 3);
  channel.close();
  assert.equal(await failure(old.read()), Code.Cancelled);
});

Deno.test("a connection that was lost is replaced", async () => {
  const sockets: Served["socket"][] = [];
  await using server = await plainServer((served) => {
    sockets.push(served.socket);
    respond(served.stream, [1]);
  });
  const channel = openChannel(channelTo(`http://localhost:${server.port}`));
  await channel.unary(METHOD, NOTHING);
  sockets[0]!.resetAndDestroy();
  await eventually("a call over a new connection", async () => {
    await channel.unary(METHOD, NOTHING).catch(() => {});
    return server.connections === 2;
  });
  channel.close();
});

Deno.test("identity 3.3: new roots cause a new connection; with unusable roots the old one is kept", async () => {
  using folder = tempDir();
  const path = folder.write("root.pem", ROOT_PEM);
  await using server = await tlsServer(echo);
  const target = targetOf(`https://localhost:${server.port}`);
  const security = namedServer(target, {
    roots: { kind: "file", path },
    alternativeHostname: null,
    tls12: false,
    settings: { roots: "CA_ROOT_CA", alternativeHostname: "ALT_CA_HOSTNAME" },
  });
  const warnings: string[] = [];
  const channel = openChannel({ ...channelTo(target.text), security, warn: (text) => warnings.push(text) });
  await channel.unary(METHOD, NOTHING);
  folder.write("root.pem", "gone");
  await channel.unary(METHOD, NOTHING);
  assert.equal(server.connections, 1);
  assert.match(warnings[0] ?? "", /^keeping the connection to https:\/\/localhost:\d+: .*cannot use root certificates/);
  folder.write("root.pem", `${ROOT_PEM}\n`);
  await channel.unary(METHOD, NOTHING);
  assert.equal(server.connections, 2);
  channel.close();
});

Deno.test("a signal cancels a call before it starts, while it connects, and while it waits", async () => {
  const cancelled: string[] = [];
  await using server = await plainServer(({ stream }) => {
    respond(stream, [1], null);
    stream.on("close", () => cancelled.push(`${stream.rstCode}`));
  });
  const channel = openChannel(channelTo(`http://localhost:${server.port}`));
  const reason = new Error("no longer needed");
  await assert.rejects(channel.open(METHOD, {}, AbortSignal.abort(reason)), reason);
  const connecting = new AbortController();
  const opening = channel.open(METHOD, {}, connecting.signal);
  connecting.abort(reason);
  await assert.rejects(opening, reason);
  const waiting = new AbortController();
  const call = await channel.open(METHOD, {}, waiting.signal);
  assert.equal((await call.read())?.length, 1);
  const second = call.read();
  waiting.abort(reason);
  assert.equal(await failure(second), Code.Cancelled);
  await eventually("the reset to arrive at the server", () => cancelled.includes("8"));
  channel.close();
});

Deno.test("close cancels open calls and rejects later ones", async () => {
  await using server = await plainServer(({ stream }) => respond(stream, [1], null));
  const channel = openChannel(channelTo(`http://localhost:${server.port}`));
  const call = await channel.open(METHOD);
  await call.read();
  const next = call.read();
  channel.close();
  channel.close();
  assert.equal(await failure(next), Code.Cancelled);
  assert.equal(await failure(channel.open(METHOD)), Code.Cancelled);
  await call.send(NOTHING);
  call.cancel();
});

Deno.test("close while the connection is being opened closes the connection", async () => {
  await using server = await plainServer(echo);
  const channel = openChannel(channelTo(`http://localhost:${server.port}`));
  const opening = failure(channel.open(METHOD));
  channel.close();
  assert.equal(await opening, Code.Cancelled);
});

Deno.test("a unary call fails without a response, with two responses, and with a response and an error", async () => {
  const cases: [lengths: number[], trailers: Record<string, string>, expected: number][] = [
    [[], { "grpc-status": "0" }, Code.Internal],
    [[1, 1], { "grpc-status": "0" }, Code.Internal],
    [[1], { "grpc-status": "5" }, Code.NotFound],
  ];
  for (const [lengths, trailers, expected] of cases) {
    await using server = await plainServer(({ stream }) => respond(stream, lengths, trailers));
    const channel = openChannel(channelTo(`http://localhost:${server.port}`));
    assert.equal(await failure(channel.unary(METHOD, NOTHING)), expected);
    channel.close();
  }
});

Deno.test("flow control: without reads the server is blocked", async () => {
  let written = 0;
  let blocked = false;
  await using server = await plainServer(({ stream }) => {
    respond(stream, [], null);
    const push = () => {
      written++;
      if (stream.write(framed(100_000))) return push();
      blocked = true;
      stream.once("drain", push);
    };
    push();
  });
  const channel = openChannel(channelTo(`http://localhost:${server.port}`));
  const call = await channel.open(METHOD);
  await eventually("the server to be blocked", () => blocked);
  // Twenty turns in which more could arrive.
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 1));
  const held = written;
  assert.ok(held < 100, `${held} messages of 100 KB were received without a read`);
  for (let i = 0; i < 200; i++) assert.equal((await call.read())?.length, 100_000);
  assert.ok(written > held);
  channel.close();
});

Deno.test("TLS to a server with an IPv6 address in its certificate", async () => {
  const name = ipName(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
  const listener = createSecureServer(serverIdentity(ROOT, { names: [name] }));
  await using server = await new TestServer(listener, echo).listen({ port: 0, host: "::1" });
  const channel = openChannel(channelTo(`https://[::1]:${server.port}`));
  assert.equal((await channel.unary(METHOD, NOTHING)).length, 1);
  channel.close();
});

Deno.test("mutual TLS: the client certificate is sent, and `accept` verifies the server", async () => {
  const ours = serverIdentity();
  const theirs = serverIdentity();
  const shown: string[] = [];
  await using server = await tlsServer(({ stream, session }) => {
    const { subjectaltname } = (session.socket as TLSSocket).getPeerCertificate();
    shown.push(subjectaltname ?? "nothing");
    respond(stream, [1]);
  }, { ...theirs, ca: ROOT_PEM, requestCert: true, rejectUnauthorized: true });
  const der = (pem: string) => Uint8Array.fromBase64(pem.replace(/-----.*-----/g, ""));
  const verified: number[] = [];
  const security: TlsSecurity = {
    material: () =>
      Promise.resolve({
        anchors: [parseCertificate(ROOT.certificate) as Certificate],
        anchorsFrom: "the trust bundle",
        credentials: {
          chain: [der(ours.cert)],
          key: new Uint8Array(createPrivateKey(Buffer.from(ours.key)).export({ format: "der", type: "pkcs8" })),
        },
        serverName: null,
        tls12: false,
        accept: (path) => {
          verified.push(path.length);
          return null;
        },
      }),
    isCurrent: () => Promise.resolve(true),
  };
  const channel = openChannel({ ...channelTo(`https://127.0.0.1:${server.port}`), security });
  assert.equal((await channel.unary(METHOD, NOTHING)).length, 1);
  assert.deepEqual(verified, [2]);
  assert.deepEqual(shown, ["DNS:localhost"]);
  channel.close();
});
