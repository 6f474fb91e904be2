/**
 * A simulated TLS 1.3 handshake: both sides send their chain and call their verifier, in the order of the real one.
 *
 *     client: ──hello──▶ waits for chain ──accepts──▶ sends its chain, secure
 *     server: waits for hello ──sends its chain──▶ waits for chain ──accepts──▶ secure
 *     both:   refusal, alert, end, invalid message, time limit ──▶ failed
 *
 * So when a server refuses, the handshake of the client has succeeded, and its first read fails (`docs/spec/dataplane.md`
 * 2.1). Signatures, validity and purpose are not checked.
 */
import type { Millis, Timer } from "../clock.ts";
import type { Duplex, DuplexSink, Ending } from "../duplex.ts";
import { handshakeFailure, TLS_EOF, TLS_TIMEOUT, tlsAlert } from "./memory_endings.ts";
import type { MemoryScheduler } from "./memory_scheduler.ts";
import { MemoryTlsDuplex } from "./memory_tls_duplex.ts";
import { ALERT, HANDSHAKE, type Head, RecordChannel } from "./memory_tls_records.ts";
import type * as net from "../network.ts";
import type { SecureEvents } from "../network.ts";
import type { PeerRefusal, TlsPeer, TlsSettings } from "../tls_context.ts";

type Role = "client" | "server";

const HELLO = 1;
const CHAIN = 2;

/** `Network.secure` of the network in memory. */
export function secureInMemory(
  scheduler: MemoryScheduler,
  plain: Duplex,
  settings: TlsSettings,
  role: Role,
  timeout: Millis,
  events: SecureEvents,
): net.Handshake {
  return new Handshake(scheduler, plain, settings, role, timeout, events);
}

class Handshake implements net.Handshake, DuplexSink {
  readonly #scheduler: MemoryScheduler;
  readonly #channel: RecordChannel;
  readonly #settings: TlsSettings;
  readonly #role: Role;
  readonly #events: SecureEvents;
  readonly #timer: Timer;
  #state: "waits for hello" | "waits for chain" | "over";
  peerSince: Millis;

  constructor(
    scheduler: MemoryScheduler,
    plain: Duplex,
    settings: TlsSettings,
    role: Role,
    timeout: Millis,
    events: SecureEvents,
  ) {
    this.#scheduler = scheduler;
    this.#channel = new RecordChannel(plain, this);
    this.#settings = settings;
    this.#role = role;
    this.#events = events;
    this.#state = role === "server" ? "waits for hello" : "waits for chain";
    this.peerSince = scheduler.now();
    this.#timer = scheduler.after(timeout, () => this.#fail(TLS_TIMEOUT));
    plain.start(this.#channel);
    if (role === "client") this.#send(Uint8Array.of(HELLO));
    // A stream that has failed, or whose bytes arrived before, does not announce that any more.
    scheduler.report({ runTurn: () => plain.readable ? this.onReadable() : this.#failWith(plain.failure) });
  }

  abort(): void {
    if (!this.#finish()) return;
    this.#channel.plain.close();
  }

  onReadable(): void {
    while (this.#state !== "over") {
      const head = this.#channel.next();
      if (head === null) return this.#atEndOfInput();
      this.#take(head);
    }
  }

  onWritable(): void {
    this.#channel.flush();
  }

  onFailure(ending: Ending): void {
    this.#fail(ending);
  }

  #take(head: Exclude<Head, null>): void {
    switch (head) {
      case "handshake":
        return this.#takeMessage(this.#channel.takeMessage());
      case "alert":
        return this.#fail(tlsAlert(new TextDecoder().decode(this.#channel.takeMessage()) || "close notify"));
      case "data":
        return this.#fail(handshakeFailure("unexpected message"));
      case "garbage":
        return this.#fail(handshakeFailure("wrong version number"));
      default:
        return head satisfies never;
    }
  }

  #takeMessage(message: Uint8Array): void {
    this.peerSince = this.#scheduler.now();
    if (this.#state === "waits for hello" && message[0] === HELLO) {
      this.#send(encodeChain(this.#settings.chain));
      this.#state = "waits for chain";
      return;
    }
    const chain = this.#state === "waits for chain" ? decodeChain(message) : null;
    if (chain === null) return this.#fail(handshakeFailure("unexpected message"));
    this.#verify(chain);
  }

  #verify(chain: readonly Uint8Array[]): void {
    const path = [...chain, ...this.#settings.anchors.slice(0, 1)];
    const refusal = chain.length === 0 ? NO_CERTIFICATE : this.#accept(path);
    if (refusal !== null) return this.#refuse(refusal);
    if (this.#role === "client") this.#send(encodeChain(this.#settings.chain));
    if (!this.#finish()) return;
    this.#events.onSecure(new MemoryTlsDuplex(this.#scheduler, this.#channel), this.#peer(path));
  }

  #accept(path: readonly Uint8Array[]): PeerRefusal | null {
    return this.#events.accept === undefined ? this.#settings.accept(path, this.#role) : this.#events.accept(path);
  }

  #refuse(refusal: PeerRefusal): void {
    const alert = refusal === NO_CERTIFICATE ? "tlsv13 alert certificate required" : "ssl/tls alert bad certificate";
    this.#channel.send(ALERT, new TextEncoder().encode(alert));
    this.#channel.flush();
    this.#fail({ by: "us", how: "error", code: refusal.code, message: refusal.message });
  }

  #peer(chain: readonly Uint8Array[]): TlsPeer {
    return { chain, version: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384", group: "x25519" };
  }

  #send(message: Uint8Array): void {
    this.#channel.send(HANDSHAKE, message);
    this.#channel.flush();
  }

  #atEndOfInput(): void {
    const { plain } = this.#channel;
    this.#failWith(plain.failure ?? (plain.ended ? TLS_EOF : null));
  }

  #failWith(ending: Ending | null): void {
    if (ending !== null) this.#fail(ending);
  }

  #fail(ending: Ending): void {
    if (!this.#finish()) return;
    this.#channel.plain.close();
    this.#events.onSecureFailure(ending);
  }

  /** False: the handshake was over already. */
  #finish(): boolean {
    if (this.#state === "over") return false;
    this.#state = "over";
    this.#timer.cancel();
    return true;
  }
}

const NO_CERTIFICATE: PeerRefusal = { code: "TLS_NO_CERTIFICATE", message: "peer did not return a certificate" };

/** `CHAIN | (length (3 bytes) | DER)*` */
function encodeChain(chain: readonly Uint8Array[]): Uint8Array {
  const bytes = [CHAIN];
  for (const der of chain) bytes.push(der.length >> 16, (der.length >> 8) & 0xff, der.length & 0xff, ...der);
  return Uint8Array.from(bytes);
}

function decodeChain(message: Uint8Array): Uint8Array[] | null {
  if (message[0] !== CHAIN) return null;
  const chain: Uint8Array[] = [];
  for (let at = 1; at < message.length;) {
    const [high, middle, low] = message.subarray(at, at + 3);
    if (high === undefined || middle === undefined || low === undefined) return null;
    const end = at + 3 + ((high << 16) | (middle << 8) | low);
    if (end > message.length) return null;
    chain.push(message.slice(at + 3, end));
    at = end;
  }
  return chain;
}
