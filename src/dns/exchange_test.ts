import { strict as assert } from "node:assert";
import { parseIp, type SocketAddress } from "../net/address.ts";
import { MemoryNetwork } from "../net/testkit/memory_network.ts";
import type { Protocol } from "./answer_writer.ts";
import { Exchange, type Outcome } from "./exchange.ts";
import { ServerList } from "./server_list.ts";
import { answered, decode, encode, type Packet, question, ScriptedServer } from "./testkit/dns_bed.ts";

const NAME = "www.example.com";
const FOUND: Packet = { flags: answered(), answers: [{ name: NAME, type: "A", ttl: 60, data: "1.2.3.4" }] };

class Rig {
  readonly network = new MemoryNetwork();
  readonly servers: ScriptedServer[] = [];
  readonly outcomes: Outcome[] = [];
  readonly list: ServerList;
  #ids = 0;

  /** One server for each script; null: no server listens at the address. */
  constructor(...scripts: (ScriptedServer["script"] | null)[]) {
    const addresses: SocketAddress[] = scripts.map((_, i) => ({ ip: parseIp(`10.0.0.${i + 1}`)!, port: 53 }));
    scripts.forEach((script, i) => {
      if (script !== null) this.servers.push(new ScriptedServer(this.network, addresses[i]!, script));
    });
    this.list = new ServerList(addresses);
  }

  ask(protocol: Protocol = "udp"): Exchange {
    const bytes = question("A", NAME);
    return new Exchange(
      {
        network: this.network,
        servers: this.list,
        sockets: {},
        timeout: 5000,
        attempts: 2,
        randomId: () => ++this.#ids,
      },
      { bytes, questionEnd: bytes.length },
      protocol,
      (outcome) => this.outcomes.push(outcome),
    );
  }

  /** The outcome, after `ms` at most. */
  after(ms: number): string | null {
    this.network.advance(ms);
    assert.ok(this.outcomes.length <= 1);
    const [outcome] = this.outcomes;
    if (outcome === undefined) return null;
    return outcome.kind === "failed" ? outcome.why : decode(outcome.full.bytes).rcode;
  }
}

const SILENT = () => null;

Deno.test("exchange: two servers are asked at once, and the first response ends both questions", () => {
  const rig = new Rig(SILENT, () => FOUND, () => FOUND);
  rig.ask();
  assert.equal(rig.after(0), "NOERROR");
  assert.deepEqual(rig.servers.map(({ asked }) => asked.length), [1, 1, 0]);
  rig.network.advance(60_000);
  assert.deepEqual(rig.servers.map(({ asked }) => asked.length), [1, 1, 0]);
});

Deno.test("exchange: the third server is asked when the first two have failed", () => {
  const rig = new Rig(SILENT, SILENT, () => FOUND);
  rig.ask();
  assert.equal(rig.after(4999), null);
  assert.equal(rig.after(1), "NOERROR");
});

Deno.test("exchange: slow and silent servers are asked last, and are tried again eventually", () => {
  const rig = new Rig(SILENT, SILENT, () => FOUND);
  rig.ask();
  rig.after(5000);
  const [, , quick] = rig.servers;
  assert.equal(rig.list.inOrder[0]!.address, quick!.address);
  for (let i = 0; i < 500; i++) {
    rig.outcomes.length = 0;
    rig.ask();
    rig.after(0);
  }
  assert.ok(rig.servers[1]!.asked.length > 10);
});

Deno.test("exchange: an error response is used only when no server has a better one", () => {
  const rig = new Rig(() => ({ flags: answered(2) }), () => FOUND);
  rig.ask();
  assert.equal(rig.after(0), "NOERROR");
  const all = new Rig(() => ({ flags: answered(2) }), () => ({ flags: answered(5) }));
  all.ask();
  assert.match(all.after(0)!, /^(SERVFAIL|REFUSED)$/);
});

Deno.test("exchange: an error response ends the round when the other servers are silent", () => {
  const rig = new Rig(() => ({ flags: answered(5) }), SILENT);
  rig.ask();
  assert.equal(rig.after(4999), null);
  assert.equal(rig.after(1), "REFUSED");
});

Deno.test("exchange: where no server listens it fails at once", () => {
  const rig = new Rig(null, null);
  rig.ask();
  assert.equal(rig.after(0), "nameserver cannot be reached: ECONNREFUSED");
});

Deno.test("exchange: where no server listens for TCP, UDP is tried", () => {
  const rig = new Rig(null);
  const udp = rig.network.udp({ address: { ip: parseIp("10.0.0.1")!, port: 53 } }, {
    onDatagram: (bytes, from) =>
      void udp.send(
        encode({ type: "response", questions: decode(bytes).questions, ...FOUND, id: decode(bytes).id }),
        from,
      ),
  });
  rig.ask("tcp");
  assert.equal(rig.after(0), "NOERROR");
});

Deno.test("exchange: without a server it fails after the constructor", () => {
  const rig = new Rig();
  rig.ask();
  assert.equal(rig.outcomes.length, 0);
  assert.equal(rig.after(0), "no nameserver is known");
});

Deno.test("exchange: an aborted one calls nothing and leaves no socket and no timer", () => {
  const rig = new Rig(SILENT);
  rig.ask().abort();
  assert.equal(rig.after(60_000), null);
  assert.equal(rig.servers[0]!.asked.length, 1);
});

/** Datagrams of a forger that has the wrong id or another address, and other datagrams that are no response. */
const FORGERIES: readonly (readonly [what: string, forge: (honest: Uint8Array) => Uint8Array])[] = [
  ["another id", (honest) => patched(honest, 1, honest[1]! ^ 1)],
  ["another name", (honest) => patched(honest, 13, 120)],
  ["another type", (honest) => patched(honest, 12 + NAME.length + 3, 28)],
  ["another class", (honest) => patched(honest, 12 + NAME.length + 5, 3)],
  ["a question", (honest) => patched(honest, 2, honest[2]! & 0x7f)],
  ["another opcode", (honest) => patched(honest, 2, honest[2]! | 0x28)],
  ["no question", (honest) => patched(honest, 5, 0)],
  ["records cut short", (honest) => honest.slice(0, -1)],
  ["eleven bytes", (honest) => honest.slice(0, 11)],
];

function patched(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = bytes.slice();
  copy[at] = value;
  return copy;
}

for (const [what, forge] of FORGERIES) {
  Deno.test(`exchange: a datagram that is no response is ignored: ${what}`, () => {
    let forgeries = 0;
    const rig = new Rig((query, protocol) => {
      const honest = encode({ type: "response", questions: query.questions, ...FOUND, id: query.id });
      return protocol === "udp" && forgeries++ === 0 ? forge(honest) : honest;
    });
    rig.ask();
    assert.equal(rig.after(332), null);
    // This answers the second transmission.
    assert.equal(rig.after(1), "NOERROR");
    const [outcome] = rig.outcomes;
    assert.ok(outcome?.kind === "answer");
    assert.equal(decode(outcome.full.bytes).answers[0]!.data, "1.2.3.4");
  });
}

Deno.test("exchange: a response whose name differs in case only is accepted", () => {
  const rig = new Rig((query) => ({ ...FOUND, questions: [{ ...query.questions[0]!, name: NAME.toUpperCase() }] }));
  rig.ask();
  assert.equal(rig.after(0), "NOERROR");
});

Deno.test("exchange: an error without the question is accepted", () => {
  const rig = new Rig((query) => encode({ type: "response", id: query.id, flags: answered(1), questions: [] }));
  rig.ask();
  assert.equal(rig.after(0), "FORMERR");
});

Deno.test("exchange: after many forged datagrams the question is sent by TCP", () => {
  const rig = new Rig((_query, protocol) => protocol === "tcp" ? FOUND : null);
  rig.ask();
  rig.network.runUntilIdle();
  const { from } = rig.servers[0]!.asked[0]!;
  // From the server's own address, by a second socket.
  const forger = rig.network.udp({ address: { ip: parseIp("10.0.0.1")!, port: 53 }, reusePort: true, namespace: 7 }, {
    onDatagram() {},
  });
  rig.network.assign(-1, from.ip);
  for (let i = 0; i < 40; i++) {
    forger.send(
      encode({ type: "response", id: 0xf000 + i, flags: answered(), questions: [{ type: "A", name: NAME }] }),
      from,
    );
  }
  assert.equal(rig.after(0), "NOERROR");
  assert.deepEqual(rig.servers[0]!.questions, [`A ${NAME}`, `A ${NAME} tcp`]);
});

Deno.test("exchange: each attempt has a new port and a new id", () => {
  const rig = new Rig(SILENT);
  rig.ask();
  rig.after(15_000);
  const { asked } = rig.servers[0]!;
  const seen = new Set(asked.map(({ bytes, from }) => `${decode(bytes).id}:${from.port}`));
  assert.deepEqual([asked.length, seen.size], [9, 3]);
});

Deno.test("exchange: by TCP, a response in pieces, and a message that is no response", () => {
  for (const cut of [false, true]) {
    const rig = new Rig(null);
    rig.network.listen({ address: { ip: parseIp("10.0.0.1")!, port: 53 } }, ({ duplex }) => {
      const buffer = new Uint8Array(512);
      duplex.start({
        onReadable() {
          const length = duplex.read(buffer);
          if (length <= 0) return;
          const query = decode(buffer.subarray(2, length));
          const answer = encode({ type: "response", questions: query.questions, ...FOUND, id: query.id });
          const bytes = [answer.length >> 8, answer.length & 255, ...answer];
          for (const byte of cut ? bytes.slice(0, -1) : bytes) duplex.write(Uint8Array.of(byte));
          duplex.end();
        },
        onWritable() {},
        onFailure: () => duplex.close(),
      });
    });
    rig.ask("tcp");
    const expected = cut ? "the nameserver closed the connection or answered something else" : "NOERROR";
    assert.equal(rig.after(20_000), expected);
  }
});
