/**
 * Access log lines (`docs/spec/dataplane.md` 8, `docs/spec/config-admin.md` 6.5): target `access`, no spans, fields in
 * a fixed order. With short connections this is a hot path, so the line is built directly, and the fields of each side
 * are cached.
 */
import { type AccessLines, ALL_LINES } from "../config/access_lines.ts";
import { formatAddress, type SocketAddress } from "../net/address.ts";
import type { ConnectionEnding, ConnectionFacts, FirstBytes } from "./connection_ending.ts";
import { decisionField, endingFields, openFields } from "./ending_fields.ts";
import type { Log } from "./log.ts";
import { bare, type Fields, jsonFields, plainFields } from "./log_fields.ts";
import { LEVEL, type Level } from "./log_level.ts";
import { jsonString, quote } from "./rust_text.ts";
import type { TrafficSides } from "./traffic_labels.ts";
import type { TrafficPeer } from "./traffic_peer.ts";

/** What is logged about a connection when it opens and when it completes. */
export interface AccessSubject {
  readonly direction: "outbound" | "inbound";
  readonly source: SocketAddress;
  /**
   * Outbound: the dialled address. Inbound HBONE: the connection's local address. Passthrough: the original
   * destination.
   */
  readonly destination: SocketAddress;
  /** The authority of the CONNECT request; null without HBONE. */
  readonly hboneTarget: string | null;
  /** Hostname of the service; null: not known. */
  readonly serviceHostname: string | null;
  readonly sides: TrafficSides;
  /** Identities are logged only with mutual TLS. */
  readonly mutualTls: boolean;
  /** For the extended fields. */
  readonly facts: ConnectionFacts;
}

/** What is logged in addition when a connection completes. */
interface AccessTotals {
  /** Bytes sent by the application on this side: outbound, client to server; inbound, server to client. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Whole milliseconds. */
  readonly duration: number;
  /** Null on success. */
  readonly error: string | null;
  readonly ending: ConnectionEnding;
  readonly firstBytes: FirstBytes;
}

/** A connection that was refused before it was routed. */
export interface RefusedConnection {
  readonly direction: AccessSubject["direction"];
  readonly source: SocketAddress;
  readonly destination: SocketAddress;
  readonly error: string;
  readonly facts: ConnectionFacts;
  readonly ending: ConnectionEnding;
}

const TARGET = "access";
/** Endings of refused connections. Their lines have the id of the decision also without the extended fields. */
const REFUSALS: ReadonlySet<ConnectionEnding["how"]> = new Set(["policy", "no route", "identity", "revocation"]);

/** Writes access log lines. */
export class AccessLog {
  readonly #log: Log;

  /** Rendered fields of a side, with and without identity. They live as long as the side. */
  readonly #secure = new WeakMap<TrafficPeer, string>();
  readonly #plain = new WeakMap<TrafficPeer, string>();
  readonly #render: (fields: Fields) => string;
  readonly #json: boolean;
  readonly #random: () => number;
  /** Which lines are written. */
  lines: AccessLines = ALL_LINES;

  /** `random`: numbers from 0 up to but not including 1, for the sample of successful connections. */
  constructor(log: Log, random: () => number) {
    this.#log = log;
    this.#random = random;
    this.#json = log.format.name === "json";
    // Plain fields are separated by spaces, JSON fields by commas. Here each field begins with its separator.
    this.#render = this.#json ? jsonFields : (fields) => {
      const text = plainFields(fields);
      return text === "" ? "" : ` ${text}`;
    };
  }

  /** A connection was opened; logged at debug. */
  opened(subject: AccessSubject) {
    if (this.lines.mode !== "all" || !this.#log.isEnabled(TARGET, LEVEL.debug)) return;
    const more = this.#isExtended ? this.#render(openFields(subject.facts)) : "";
    this.#line(LEVEL.debug, "connection opened", this.#subject(subject) + more);
  }

  /** A connection has ended; logged at info, or at error where `totals.error` is set. */
  complete(subject: AccessSubject, totals: AccessTotals) {
    const level = totals.error === null ? LEVEL.info : LEVEL.error;
    if (!this.#isChosen(totals.error !== null) || !this.#log.isEnabled(TARGET, level)) return;
    const error = totals.error === null ? "" : this.#render({ error: totals.error });
    const more = this.#ending(subject.facts, totals.ending, totals.firstBytes);
    this.#line(level, "connection complete", this.#subject(subject) + this.#totals(totals) + error + more);
  }

  /** A connection failed at one endpoint and tries another one. `attempt`: how many it has tried. */
  attemptFailed(subject: AccessSubject, attempt: number, error: string) {
    if (!this.#isChosen(true) || !this.#log.isEnabled(TARGET, LEVEL.warn)) return;
    const more = this.#isExtended ? this.#render(openFields(subject.facts)) : "";
    const fields = this.#subject(subject) + this.#render({ attempt: bare(attempt), error }) + more;
    this.#line(LEVEL.warn, "connection attempt failed", fields);
  }

  /** A connection that was refused before it was routed. */
  failed(refused: RefusedConnection) {
    const { direction, source, destination, error, facts, ending } = refused;
    if (!this.#isChosen(true) || !this.#log.isEnabled(TARGET, LEVEL.warn)) return;
    const fields = this.#render({
      "src.addr": bare(formatAddress(source)),
      "dst.addr": bare(formatAddress(destination)),
      direction,
      error,
    });
    const line = fields + this.#ending(facts, ending, null);
    this.#line(LEVEL.warn, "connection failed", this.#json ? line : line.slice(1));
  }

  #ending(facts: ConnectionFacts, ending: ConnectionEnding, bytes: FirstBytes | null): string {
    if (this.#isExtended) return this.#render(endingFields(facts, ending, bytes));
    return ending.by === "us" && REFUSALS.has(ending.how) ? this.#render(decisionField(facts)) : "";
  }

  get #isExtended(): boolean {
    return this.lines.fields === "extended";
  }

  #isChosen(isFailure: boolean): boolean {
    const { mode, sample } = this.lines;
    if (mode !== "all") return isFailure && mode === "failures";
    return isFailure || sample === 1 || this.#random() < sample;
  }

  /** `fields`: in the plain format, without a space before the first one. */
  #line(level: Level, message: string, fields: string) {
    this.#log.line(level, TARGET, message, fields);
  }

  #totals({ bytesSent, bytesReceived, duration }: AccessTotals): string {
    return this.#json
      ? `,"bytes_sent":${bytesSent},"bytes_recv":${bytesReceived},"duration":"${duration}ms"`
      : ` bytes_sent=${bytesSent} bytes_recv=${bytesReceived} duration="${duration}ms"`;
  }

  /** In the plain format it begins without a space: cutting one off would copy the text. */
  #subject(subject: AccessSubject): string {
    const { sides: { source, destination }, direction, mutualTls, hboneTarget, serviceHostname } = subject;
    const hbone = hboneTarget === null ? "" : this.#text("dst.hbone_addr", unquoted(hboneTarget), hboneTarget);
    const service = serviceHostname === null ? "" : this.#text("dst.service", quote(serviceHostname), serviceHostname);
    const json = this.#json;
    return this.#address(json ? "," : "", "src.addr", subject.source) + this.#peer("src", source, mutualTls) +
      this.#address(json ? "," : " ", "dst.addr", subject.destination) + hbone + service +
      this.#peer("dst", destination, mutualTls) +
      (json ? `,"direction":"${direction}"` : ` direction="${direction}"`);
  }

  #address(separator: "," | " " | "", name: string, address: SocketAddress): string {
    const text = formatAddress(address);
    return this.#json ? `${separator}"${name}":"${text}"` : `${separator}${name}=${text}`;
  }

  #text(name: string, plain: string, value: string): string {
    return this.#json ? `,"${name}":${jsonString(value)}` : ` ${name}=${plain}`;
  }

  #peer(side: "src" | "dst", peer: TrafficPeer, mutualTls: boolean): string {
    const cache = mutualTls ? this.#secure : this.#plain;
    let text = cache.get(peer);
    if (text === undefined) {
      const { workload, namespace, identity, cluster } = peer.log;
      text = this.#render({
        [`${side}.workload`]: workload,
        [`${side}.namespace`]: namespace,
        [`${side}.identity`]: mutualTls ? identity : null,
        [`${side}.cluster`]: cluster,
      });
      cache.set(peer, text);
    }
    return text;
  }
}

/** The text, quoted if it could end a field or a line. The authority is input of the client. */
function unquoted(text: string): string {
  return /^[\x21-\x7e]+$/.test(text) ? text : quote(text);
}
