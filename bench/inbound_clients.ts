/**
 * Clients of a proxy's inbound port, in place of `handshake_peer.ts` (whose certificates they use):
 *
 *     honest FOLDER ADDRESS FROM SECONDS           fifty tunnels a second: TCP, TLS, and the first bytes of HTTP/2 that
 *                                                  the proxy sends. Prints { opened, failed, p50, p99 }, times in ms
 *     silent FOLDER ADDRESS FROM SECONDS RATE      as many connections a second, which send nothing
 *     half-open FOLDER ADDRESS FROM SECONDS RATE   the same with the first message of a handshake, and nothing after it
 *     hold FOLDER ADDRESS FROM SECONDS COUNT       COUNT half-open connections at a time; closed ones are
 *                                              replaced
 *
 * FROM is their source address.
 */
import { PREFACE } from "../src/h2/frame.ts";
import { settings } from "../src/h2/testkit/frames.ts";
import { encodePem } from "../src/identity/pem.ts";
import { parseIp, type SocketAddress } from "../src/net/address.ts";
import type { Duplex } from "../src/net/duplex.ts";
import { contextOf, HBONE_PORT, readCredentials, startReactor } from "./handshake_peer.ts";
import { MemoryTls } from "./memory_tls.ts";

const EVERY_MILLIS = 20;
/** A tunnel that is not open by then has failed. */
const TIMEOUT = 10_000;

/** Most new connections of `hold` in {@link EVERY_MILLIS}: the kernel's backlog takes them. */
const HOLD_PER_TICK = 200;

const [mode = "", folder = "", address = "", from = "", seconds = "", amount = ""] = Deno.args;
const to: SocketAddress = { ip: parseIp(address)!, port: HBONE_PORT };
const source: SocketAddress = { ip: parseIp(from)!, port: 0 };
const reactor = startReactor();
const end = performance.now() + Number(seconds) * 1000;

function honest(): void {
  const context = contextOf(readCredentials(folder)["peer"]!);
  const times: number[] = [];
  let begun = 0, failed = 0;
  const one = () => {
    begun++;
    const startedAt = performance.now();
    const fail = () => void failed++;
    const greet = (secured: Duplex) => {
      const buffer = new Uint8Array(16_384);
      const answered = () => {
        if (secured.read(buffer) <= 0) return;
        times.push(performance.now() - startedAt);
        secured.close(true);
      };
      secured.start({ onReadable: answered, onWritable() {}, onFailure: fail });
      secured.write(Uint8Array.from([...PREFACE, ...settings()]));
      answered();
    };
    reactor.dial(to, { source, timeout: TIMEOUT }, {
      onConnect: (plain) =>
        void reactor.secure(plain, context, "client", TIMEOUT, { onSecure: greet, onSecureFailure: fail }),
      onDialFailure: fail,
    });
  };
  const next = () => {
    if (performance.now() < end) {
      one();
      reactor.after(EVERY_MILLIS, next);
    } else if (times.length + failed < begun && performance.now() < end + TIMEOUT) reactor.after(100, next);
    else {
      const sorted = times.sort((a, b) => a - b), at = (part: number) => sorted[Math.floor(sorted.length * part)];
      console.log(JSON.stringify({ opened: times.length, failed: begun - times.length, p50: at(0.5), p99: at(0.99) }));
      Deno.exit(0);
    }
  };
  next();
}

/** All of them send the same bytes: a server does not check whether they are new. */
function firstMessage(): Uint8Array {
  const { leaf, key } = readCredentials(folder)["peer"]!;
  const paths = [`${folder}/inbound-client.pem`, `${folder}/inbound-client.key`] as const;
  Deno.writeTextFileSync(paths[0], encodePem("CERTIFICATE", Uint8Array.fromBase64(leaf)));
  Deno.writeTextFileSync(paths[1], encodePem("PRIVATE KEY", Uint8Array.fromBase64(key)));
  const tls = new MemoryTls(...paths);
  tls.handshake();
  return Uint8Array.from(tls.take().flatMap((chunk) => [...chunk]));
}

/** Sends `bytes` and then nothing; `onEnd` when the connection has ended or was never there. */
function dialAndSend(bytes: Uint8Array | null, onEnd: () => void): void {
  reactor.dial(to, { source, timeout: TIMEOUT }, {
    onConnect(plain) {
      if (bytes !== null) plain.write(bytes);
      const buffer = new Uint8Array(16_384);
      const look = () => {
        while (plain.read(buffer) > 0);
        if (!plain.ended) return;
        plain.close();
        onEnd();
      };
      plain.start({ onReadable: look, onWritable() {}, onFailure: onEnd });
    },
    onDialFailure: onEnd,
  });
}

function dialAtRate(bytes: Uint8Array | null): void {
  const perTick = Number(amount) * EVERY_MILLIS / 1000;
  let dialled = 0;
  const startedAt = performance.now();
  everyTick(() => {
    const due = (performance.now() - startedAt) / EVERY_MILLIS * perTick;
    for (; dialled < due; dialled++) dialAndSend(bytes, () => {});
  });
}

function hold(bytes: Uint8Array): void {
  let held = 0;
  everyTick(() => {
    for (let left = HOLD_PER_TICK; held < Number(amount) && left > 0; left--) {
      held++;
      dialAndSend(bytes, () => void held--);
    }
  });
}

function everyTick(work: () => void): void {
  const tick = () => {
    if (performance.now() >= end) Deno.exit(0);
    work();
    reactor.after(EVERY_MILLIS, tick);
  };
  console.log("dialling");
  tick();
}

if (mode === "honest") honest();
else if (mode === "hold") hold(firstMessage());
else dialAtRate(mode === "half-open" ? firstMessage() : null);
