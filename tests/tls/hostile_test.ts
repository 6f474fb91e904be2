/** Clients that do not speak TLS: random bytes, silence, floods. Each fails alone, with a reason, and leaks nothing. */
import { strict as assert } from "node:assert";
import fc from "fast-check";
import type { SocketAddress } from "../../src/net/address.ts";
import type { Duplex } from "../../src/net/duplex.ts";
import { payloadOf, Pump } from "../../src/net/testkit/contract_kit.ts";
import { authority, client, CLIENT_ID, credential, root, server, type TlsRig, withTls } from "./rig.ts";

const HTTP = new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
const PROXY = new TextEncoder().encode("PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n");
const PREFACE = new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
/** Alert records: a fatal handshake_failure, and an invalid warning. */
const FATAL = Uint8Array.of(21, 3, 3, 0, 2, 2, 40);

/** The first message of our own client. */
async function clientHello(rig: TlsRig): Promise<Uint8Array> {
  const received: Uint8Array[] = [];
  const listener = rig.sockets.network.listen({ address: { ip: rig.sockets.loopback, port: 0 } }, ({ duplex }) => {
    duplex.start({
      onReadable() {
        const buffer = new Uint8Array(20_000);
        const count = duplex.read(buffer);
        if (count > 0) received.push(buffer.subarray(0, count));
        duplex.close(true);
      },
      onWritable() {},
      onFailure: () => duplex.close(),
    });
  });
  await rig.connect(listener.local, rig.context(client));
  listener.close();
  assert.ok(received[0] !== undefined);
  return received[0];
}

async function plain(rig: TlsRig, to: SocketAddress): Promise<Duplex> {
  const connected: Duplex[] = [];
  rig.sockets.network.dial(to, {}, {
    onConnect: (duplex) => connected.push(duplex),
    onDialFailure: (ending) => assert.fail(ending.message),
  });
  await rig.sockets.run(() => connected.length > 0);
  return connected[0]!;
}

interface Noise {
  readonly what: string;
  readonly bytes: (hello: Uint8Array) => Uint8Array;
  /** After the bytes: FIN, RST, or nothing until the time limit. */
  readonly then: "end" | "reset" | "silence" | "wait";
  readonly code: string;
  readonly text: RegExp;
}

const noises: readonly Noise[] = [
  { what: "an HTTP request", bytes: () => HTTP, then: "wait", code: "TLS_HANDSHAKE", text: /http request/ },
  { what: "a PROXY line", bytes: () => PROXY, then: "wait", code: "TLS_HANDSHAKE", text: /wrong version number/ },
  { what: "HTTP/2 in the clear", bytes: () => PREFACE, then: "wait", code: "TLS_HANDSHAKE", text: /./ },
  { what: "zeros", bytes: () => new Uint8Array(1000), then: "wait", code: "TLS_HANDSHAKE", text: /./ },
  { what: "a megabyte of noise", bytes: () => payloadOf(1_000_000, 4), then: "wait", code: "TLS_HANDSHAKE", text: /./ },
  {
    what: "a record that is too long",
    bytes: () => Uint8Array.of(22, 3, 1, 0xff, 0xff, 1),
    then: "wait",
    code: "TLS_HANDSHAKE",
    text: /length too long|packet length|too large/,
  },
  {
    what: "an alert instead of a hello",
    bytes: () => FATAL,
    then: "wait",
    code: "(TLS_ALERT|TLS_HANDSHAKE)",
    text: /./,
  },
  {
    what: "application data instead of a hello",
    bytes: () => Uint8Array.of(23, 3, 3, 0, 1, 0),
    then: "wait",
    code: "TLS_HANDSHAKE",
    text: /./,
  },
  {
    what: "a hello with wrong bytes in the middle",
    bytes: (hello) => hello.map((byte, i) => i > 40 && i < 60 ? 0xff : byte),
    then: "wait",
    code: "TLS_HANDSHAKE",
    text: /./,
  },
  { what: "nothing, then FIN", bytes: () => new Uint8Array(0), then: "end", code: "TLS_EOF", text: /closed/ },
  {
    what: "half a hello, then FIN",
    bytes: (hello) => hello.subarray(0, 50),
    then: "end",
    code: "TLS_EOF",
    text: /closed/,
  },
  { what: "a whole hello, then FIN", bytes: (hello) => hello, then: "end", code: "TLS_EOF", text: /closed/ },
  {
    what: "half a hello, then RST",
    bytes: (hello) => hello.subarray(0, 50),
    then: "reset",
    code: "ECONNRESET",
    text: /reset/,
  },
  {
    what: "identity S44, observed O31: TCP only, then silence",
    bytes: () => new Uint8Array(0),
    then: "silence",
    code: "TLS_TIMEOUT",
    text: /in time/,
  },
  {
    what: "identity S44, observed O31: half a handshake, then silence",
    bytes: (hello) => hello,
    then: "silence",
    code: "TLS_TIMEOUT",
    text: /in time/,
  },
];

for (const { what, bytes, then, code, text } of noises) {
  Deno.test(`TLS port: ${what}`, () =>
    withTls(async (rig) => {
      const hello = await clientHello(rig);
      const { listener, outcomes, address } = rig.listen(rig.context(server), then === "silence" ? 30 : 10_000);
      const duplex = await plain(rig, address);
      const sent = bytes(hello);
      const pump = new Pump(rig.sockets.network, duplex, sent, { end: then === "end" });
      if (then === "reset") {
        await rig.sockets.run(() => pump.sentBytes === sent.length);
        duplex.close(true);
      }
      await rig.sockets.run(() => outcomes.length > 0);
      const ending = outcomes[0]!.ending;
      assert.match(ending?.code ?? "", new RegExp(`^${code}$`), JSON.stringify(ending));
      assert.match(ending!.message, text);
      // The connection of the client has ended, too.
      await rig.sockets.run(() => duplex.ended || pump.failure !== null || then === "reset");
      duplex.close();
      assert.ok((await rig.connect(address, rig.context(client))).duplex !== undefined);
      listener.close();
    }));
}

Deno.test("TLS port: a hello in records of one byte each is answered", () =>
  withTls(async (rig) => {
    const message = (await clientHello(rig)).subarray(5);
    const records = Uint8Array.from([...message].flatMap((byte) => [22, 3, 1, 0, 1, byte]));
    const { listener, address } = rig.listen(rig.context(server));
    const duplex = await plain(rig, address);
    const pump = new Pump(rig.sockets.network, duplex, records, { end: false });
    await rig.sockets.run(() => pump.receivedBytes > 0 || pump.failure !== null);
    // A handshake record: the ServerHello.
    assert.equal(pump.bytes[0], 22);
    duplex.close(true);
    listener.close();
  }));

Deno.test("TLS port: a refused client that keeps sending still gets its alert", () =>
  withTls(async (rig) => {
    const { listener, outcomes, address } = rig.listen(rig.context(server));
    const stranger = credential(authority("other"), CLIENT_ID);
    const { duplex } = await rig.connect(address, rig.context(stranger));
    assert.ok(duplex !== undefined);
    const pump = new Pump(rig.sockets.network, duplex, payloadOf(100_000, 1), { writeSize: 10_000, end: false });
    await rig.sockets.run(() => pump.failure !== null && outcomes.length > 0);
    assert.match(pump.failure!.message, /alert unknown_ca/);
    listener.close();
  }));

Deno.test("TLS port: no input throws, hangs or leaks", () =>
  withTls(async (rig) => {
    const hello = await clientHello(rig);
    const { listener, outcomes, address } = rig.listen(rig.context(server));
    const noise = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 400 }),
      fc.tuple(fc.nat(hello.length - 1), fc.nat(255)).map(([at, byte]) => hello.map((old, i) => i === at ? byte : old)),
      fc.nat(hello.length).map((length) => hello.subarray(0, length)),
    );
    await fc.assert(
      fc.asyncProperty(noise, async (bytes) => {
        const before = outcomes.length;
        const duplex = await plain(rig, address);
        new Pump(rig.sockets.network, duplex, bytes);
        await rig.sockets.run(() => outcomes.length > before);
        assert.ok(outcomes[before]!.ending !== undefined);
        duplex.close();
      }),
      { numRuns: 60 },
    );
    listener.close();
  }));

Deno.test("TLS: large chains are accepted, and too large ones are refused (identity S27)", () =>
  withTls(async (rig) => {
    const filler = Array.from({ length: 45 }, (_, i) => authority(`${"filler ".repeat(200)}${i}`).certificate);
    const chain = (count: number) => ({ ...client, chain: [...client.chain, ...filler.slice(0, count)] });
    const { listener, outcomes, address } = rig.listen(rig.context(server));
    await rig.connect(address, rig.context(chain(25)));
    await rig.sockets.run(() => outcomes.length === 1);
    assert.deepEqual(outcomes[0]!.peer?.chain, [client.chain[0], root.certificate]);
    await rig.connect(address, rig.context(chain(45)));
    await rig.sockets.run(() => outcomes.length === 2);
    assert.match(outcomes[1]!.ending?.message ?? "", /excessive message size/);
    listener.close();
  }));

Deno.test("TLS: a path longer than a leaf, six intermediates and an anchor is refused", () =>
  withTls(async (rig) => {
    const path = [root];
    for (let i = 0; i < 7; i++) path.push(authority(`intermediate ${i}`, { issuer: path.at(-1)! }));
    const behind = (count: number) => {
      const leaf = credential(path[count]!, CLIENT_ID);
      const issuers = path.slice(1, count + 1).reverse().map((issuer) => issuer.certificate);
      return { ...leaf, chain: [...leaf.chain, ...issuers] };
    };
    const { listener, outcomes, address } = rig.listen(rig.context(server));
    await rig.connect(address, rig.context(behind(6)));
    await rig.sockets.run(() => outcomes.length === 1);
    assert.equal(outcomes[0]!.peer?.chain.length, 8);
    await rig.connect(address, rig.context(behind(7)));
    await rig.sockets.run(() => outcomes.length === 2);
    assert.match(outcomes[1]!.ending?.message ?? "", /chain too long|unable to get local issuer certificate/);
    listener.close();
  }));
