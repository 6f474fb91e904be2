/** Handshakes over a stream that is not a socket, as in double HBONE (`docs/spec/dataplane.md` 1.6). */
import { strict as assert } from "node:assert";
import type { Duplex, DuplexSink, Ending, Segments } from "../../src/net/duplex.ts";
import { Idle, Pump } from "../../src/net/testkit/contract_kit.ts";
import { readPieces, writePieces } from "../../src/net/piecewise.ts";
import {
  authority,
  client,
  CLIENT_ID,
  credential,
  type EndOptions,
  type Outcome,
  root,
  server,
  type TlsRig,
  withTls,
} from "./rig.ts";

const NOTHING = new Uint8Array(0);

function inner(
  rig: TlsRig,
  plain: Duplex,
  role: "client" | "server",
  its = client,
  options: EndOptions = {},
): Outcome[] {
  const outcomes: Outcome[] = [];
  rig.sockets.network.secure(plain, rig.context(its, options), role, 10_000, {
    onSecure: (duplex, peer) => outcomes.push({ duplex, peer }),
    onSecureFailure: (ending) => outcomes.push({ ending }),
  });
  assert.equal(outcomes.length, 0);
  return outcomes;
}

Deno.test("TLS within TLS: both ends get the other's path for each session", () =>
  withTls(async (rig) => {
    const outer = await rig.pair(rig.context(client), rig.context(server));
    const other = credential(root, "spiffe://td/ns/b/sa/inner");
    const ours = inner(rig, outer.client, "client", other);
    const theirs = inner(rig, outer.server, "server", server);
    await rig.sockets.run(() => ours.length + theirs.length === 2);
    assert.deepEqual(ours[0]!.peer?.chain, [server.chain[0], root.certificate]);
    assert.deepEqual(theirs[0]!.peer?.chain, [other.chain[0], root.certificate]);
    assert.equal(ours[0]!.peer?.version, "TLSv1.3");
    ours[0]!.duplex!.close();
    theirs[0]!.duplex!.close();
  }));

Deno.test("TLS within TLS: a refused server and a refused client get an alert", () =>
  withTls(async (rig) => {
    const other = credential(authority("other"), CLIENT_ID);
    for (const [ourCredential, theirCredential] of [[client, other], [other, server]] as const) {
      const outer = await rig.pair(rig.context(client), rig.context(server));
      const ours = inner(rig, outer.client, "client", ourCredential);
      const theirs = inner(rig, outer.server, "server", theirCredential);
      await rig.sockets.run(() => ours.length + theirs.length === 2);
      assert.equal(theirs[0]!.ending?.code, ourCredential === client ? "TLS_ALERT" : "TLS_CERTIFICATE");
      if (ourCredential === client) {
        assert.match(ours[0]!.ending?.message ?? "", /unable to get local issuer certificate/);
        assert.match(theirs[0]!.ending?.message ?? "", /alert unknown_ca/);
        continue;
      }
      // The handshake of the client has succeeded by then: its first read reports the refusal.
      const reader = new Pump(rig.sockets.network, ours[0]!.duplex!, NOTHING, { end: false });
      await rig.sockets.run(() => reader.failure !== null);
      assert.match(reader.failure!.message, /alert unknown_ca/);
      ours[0]!.duplex!.close();
    }
  }));

Deno.test("TLS within TLS: the inner handshake fails when the outer stream ends or has other bytes", () =>
  withTls(async (rig) => {
    for (
      const [what, text] of [["end", /closed the connection during/], [
        "noise",
        /wrong version number|http request/,
      ]] as const
    ) {
      const outer = await rig.pair(rig.context(client), rig.context(server));
      const theirs = inner(rig, outer.server, "server", server);
      outer.client.start(new Idle());
      if (what === "noise") outer.client.write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
      else outer.client.end();
      await rig.sockets.run(() => theirs.length === 1);
      assert.match(theirs[0]!.ending?.message ?? "", text);
      outer.client.close();
    }
  }));

Deno.test("TLS within TLS: a handshake fails at its time limit, when it is aborted, and at a reset of the outer stream", () =>
  withTls(async (rig) => {
    const { network, run } = rig.sockets;
    const codes: string[] = [];
    const events = {
      onSecure: () => assert.fail("secured"),
      onSecureFailure: ({ code }: { code: string }) => codes.push(code),
    };
    const slow = await rig.pair(rig.context(client), rig.context(server));
    network.secure(slow.client, rig.context(client), "client", 20, events);
    await run(() => codes.length === 1);
    const given = await rig.pair(rig.context(client), rig.context(server));
    const dial = network.secure(given.client, rig.context(client), "client", 20, events);
    dial.abort();
    dial.abort();
    const broken = await rig.pair(rig.context(client), rig.context(server));
    network.secure(broken.client, rig.context(client), "client", 10_000, events);
    broken.server.close(true);
    await run(() => codes.length === 2);
    assert.deepEqual(codes, ["TLS_TIMEOUT", "ECONNRESET"]);
  }));

Deno.test("TLS within TLS: bytes that were taken before close arrive, also at a slow reader", () =>
  withTls(async (rig) => {
    const outer = await rig.pair(rig.context(client), rig.context(server));
    const ours = inner(rig, outer.client, "client");
    const theirs = inner(rig, outer.server, "server", server);
    await rig.sockets.run(() => ours.length + theirs.length === 2);
    const writer = ours[0]!.duplex!;
    writer.start(new Idle());
    let taken = 0;
    for (let more = 1; more > 0; taken += more) more = writer.write(new Uint8Array(50_000));
    writer.close();
    const reader = new Pump(rig.sockets.network, theirs[0]!.duplex!, NOTHING, { end: false });
    await rig.sockets.run(() => reader.duplex.ended || reader.failure !== null);
    assert.ok(reader.receivedBytes >= taken, `${reader.receivedBytes} of ${taken} ${JSON.stringify(reader.failure)}`);
    theirs[0]!.duplex!.close();
  }));

Deno.test("TLS within TLS: at most four of many handshakes make a step in each turn of the loop", () =>
  withTls(async (rig) => {
    const pairs = await Promise.all(
      Array.from({ length: 8 }, () => rig.pair(rig.context(client), rig.context(server))),
    );
    const turns: number[] = [];
    const options: EndOptions = {
      accept: () => {
        turns.push(rig.sockets.network.turn);
        return null;
      },
    };
    const outcomes = pairs.flatMap((outer) => [
      inner(rig, outer.client, "client", client, options),
      inner(rig, outer.server, "server", server, options),
    ]);
    await rig.sockets.run(() => outcomes.every(({ length }) => length === 1));
    assert.equal(turns.length, 16);
    const most = Math.max(...turns.map((turn) => turns.filter((other) => other === turn).length));
    assert.ok(most <= 4, `${most} in one turn`);
    for (const [{ duplex }] of outcomes as [Outcome][]) duplex!.close();
  }));

/** A stream that announces bytes at the end of the turn in which they arrive, unless they were read before. */
class LateNews implements Duplex, DuplexSink {
  readonly #inner: Duplex;
  #sink: DuplexSink | null = null;
  #held = NOTHING;
  isLate = false;
  /** It is late from the second arrival on. */
  isLateSoon = false;
  arrived = 0;
  written = 0;
  readable = false;
  readonly writeUnit = 1;
  readonly path = null;

  constructor(inner: Duplex) {
    this.#inner = inner;
    inner.start(this);
  }

  get held(): number {
    return this.#held.length;
  }
  get local() {
    return this.#inner.local;
  }
  get remote() {
    return this.#inner.remote;
  }
  get ended() {
    return false;
  }
  get broken() {
    return this.#inner.broken;
  }
  get failure() {
    return this.#inner.failure;
  }

  start(sink: DuplexSink): void {
    this.#sink = sink;
  }

  onReadable(): void {
    const more = new Uint8Array(1 << 16);
    const count = Math.max(0, this.#inner.read(more));
    this.#held = Uint8Array.of(...this.#held, ...more.subarray(0, count));
    this.arrived += count;
    if (!this.isLate) this.announce();
    this.isLate ||= this.isLateSoon;
  }

  announce(): void {
    if (this.readable || this.#held.length === 0) return;
    this.readable = true;
    this.#sink?.onReadable();
  }

  onWritable(): void {
    this.#sink?.onWritable();
  }

  onFailure(ending: Ending): void {
    this.#sink?.onFailure(ending);
  }

  read(into: Uint8Array): number {
    const count = Math.min(into.length, this.#held.length);
    into.set(this.#held.subarray(0, count));
    this.#held = this.#held.subarray(count);
    this.readable = this.#held.length > 0;
    return count;
  }

  readScatter(into: Uint8Array, segments: Segments, count: number): number {
    return readPieces(this, into, segments, count);
  }

  write(bytes: Uint8Array): number {
    const taken = this.#inner.write(bytes);
    this.written += Math.max(0, taken);
    return taken;
  }

  writeGather(from: Uint8Array, segments: Segments, count: number): number {
    return writePieces(this, from, segments, count);
  }

  end(): void {
    this.#inner.end();
  }

  close(reset?: boolean): void {
    this.#inner.close(reset);
  }
}

Deno.test("TLS within TLS: a read before the notification leaves no bytes that are never announced", () =>
  withTls(async (rig) => {
    const outer = await rig.pair(rig.context(client), rig.context(server));
    const plain = new LateNews(outer.client);
    const ours = inner(rig, plain, "client");
    const theirs = inner(rig, outer.server, "server", server);
    await rig.sockets.run(() => ours.length + theirs.length === 2);
    const reader = ours[0]!.duplex!, writer = theirs[0]!.duplex!;
    reader.start(new Idle());
    writer.start(new Idle());
    const into = new Uint8Array(20_000);
    assert.equal(reader.read(into), 0);
    assert.equal(reader.readable, false);

    plain.isLate = true;
    assert.equal(writer.write(new Uint8Array(60_000)), 60_000);
    await rig.sockets.run(() => plain.held >= 60_000);
    let total = reader.read(into);
    plain.announce();
    assert.ok(total > 0);
    while (reader.readable) total += reader.read(into);
    assert.equal(total, 60_000);
    reader.close();
    writer.close();
  }));

Deno.test("TLS within TLS: data that arrives together with the end of the handshake is read", () =>
  withTls(async (rig) => {
    const outer = await rig.pair(rig.context(client), rig.context(server));
    const far = new LateNews(outer.client), near = new LateNews(outer.server);
    near.isLateSoon = true;
    const theirs = inner(rig, near, "server", server);
    const ours = inner(rig, far, "client");
    await rig.sockets.run(() => ours.length === 1);
    const writer = ours[0]!.duplex!;
    writer.start(new Idle());
    assert.equal(writer.write(new Uint8Array(50_000)), 50_000);
    await rig.sockets.run(() => near.arrived === far.written);
    assert.equal(theirs.length, 0);
    near.announce();
    await rig.sockets.run(() => theirs.length === 1);
    const reader = new Pump(rig.sockets.network, theirs[0]!.duplex!, NOTHING, { end: false });
    writer.end();
    await rig.sockets.run(() => {
      near.announce();
      return reader.duplex.ended;
    });
    assert.equal(reader.receivedBytes, 50_000);
    for (const duplex of [writer, reader.duplex]) duplex.close();
  }));
