/**
 * Access lines (`docs/spec/dataplane.md` 8, `docs/spec/config-admin.md` 6.5): target `access`, no spans, fields in a
 * fixed order. With short connections this is a hot path, so the line is put together directly, and the parts that
 * belong to a side are remembered.
 */
import { formatAddress, type SocketAddress } from "../net/address.ts";
import type { Log } from "./log.ts";
import { bare, type Fields, jsonFields, plainFields } from "./log_fields.ts";
import { LEVEL, type Level } from "./log_level.ts";
import { jsonString, quote } from "./rust_text.ts";
import type { TrafficSides } from "./traffic_labels.ts";
import type { TrafficPeer } from "./traffic_peer.ts";

/** What is said about a connection from its beginning to its end. */
export interface AccessSubject {
  readonly direction: "outbound" | "inbound";
  readonly source: SocketAddress;
  /** Outbound: where we dial. Inbound HBONE: the connection's local address. Passthrough: the original destination. */
  readonly destination: SocketAddress;
  /** The authority of the CONNECT request; null without HBONE. */
  readonly hboneTarget: string | null;
  /** Hostname of the service; null: none, or not known. */
  readonly serviceHostname: string | null;
  readonly sides: TrafficSides;
  /** Identities are shown only then. */
  readonly mutualTls: boolean;
}

export interface AccessTotals {
  /** From the application's view on the logging side: outbound, client to server; inbound, server to client. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Whole milliseconds. */
  readonly duration: number;
  /** Null on success. */
  readonly error: string | null;
}

const TARGET = "access";

export class AccessLog {
  /** Fields of a side, by security. Owner: the peers, which {@link TrafficSides} come from. */
  readonly #secure = new WeakMap<TrafficPeer, string>();
  readonly #plain = new WeakMap<TrafficPeer, string>();
  readonly #render: (fields: Fields) => string;
  readonly #json: boolean;

  constructor(private readonly log: Log) {
    this.#json = log.format.name === "json";
    // Plain fields are joined by spaces, JSON fields by commas: both begin with their separator here.
    this.#render = this.#json ? jsonFields : (fields) => {
      const text = plainFields(fields);
      return text === "" ? "" : ` ${text}`;
    };
  }

  opened(subject: AccessSubject) {
    if (!this.log.isEnabled(TARGET, LEVEL.debug)) return;
    this.#line(LEVEL.debug, "connection opened", this.#subject(subject));
  }

  complete(subject: AccessSubject, totals: AccessTotals) {
    const level = totals.error === null ? LEVEL.info : LEVEL.error;
    if (!this.log.isEnabled(TARGET, level)) return;
    const error = totals.error === null ? "" : this.#render({ error: totals.error });
    this.#line(level, "connection complete", this.#subject(subject) + this.#totals(totals) + error);
  }

  /** Refused before it was routed. */
  failed(direction: AccessSubject["direction"], source: SocketAddress, destination: SocketAddress, error: string) {
    if (!this.log.isEnabled(TARGET, LEVEL.warn)) return;
    const fields = this.#render({
      "src.addr": bare(formatAddress(source)),
      "dst.addr": bare(formatAddress(destination)),
      direction,
      error,
    });
    this.#line(LEVEL.warn, "connection failed", fields);
  }

  #line(level: Level, message: string, fields: string) {
    this.log.line(level, TARGET, message, this.#json ? fields : fields.slice(1));
  }

  #totals({ bytesSent, bytesReceived, duration }: AccessTotals): string {
    return this.#json
      ? `,"bytes_sent":${bytesSent},"bytes_recv":${bytesReceived},"duration":"${duration}ms"`
      : ` bytes_sent=${bytesSent} bytes_recv=${bytesReceived} duration="${duration}ms"`;
  }

  #subject(subject: AccessSubject): string {
    const { sides: { source, destination }, direction, mutualTls, hboneTarget, serviceHostname } = subject;
    const hbone = hboneTarget === null ? "" : this.#text("dst.hbone_addr", unquoted(hboneTarget), hboneTarget);
    const service = serviceHostname === null ? "" : this.#text("dst.service", quote(serviceHostname), serviceHostname);
    return this.#address("src.addr", subject.source) + this.#peer("src", source, mutualTls) +
      this.#address("dst.addr", subject.destination) + hbone + service +
      this.#peer("dst", destination, mutualTls) +
      (this.#json ? `,"direction":"${direction}"` : ` direction="${direction}"`);
  }

  #address(name: string, address: SocketAddress): string {
    const text = formatAddress(address);
    return this.#json ? `,"${name}":"${text}"` : ` ${name}=${text}`;
  }

  #text(name: string, plain: string, value: string): string {
    return this.#json ? `,"${name}":${jsonString(value)}` : ` ${name}=${plain}`;
  }

  #peer(side: "src" | "dst", peer: TrafficPeer, mutualTls: boolean): string {
    const memory = mutualTls ? this.#secure : this.#plain;
    let text = memory.get(peer);
    if (text === undefined) {
      const { workload, namespace, identity, cluster } = peer.log;
      text = this.#render({
        [`${side}.workload`]: workload,
        [`${side}.namespace`]: namespace,
        [`${side}.identity`]: mutualTls ? identity : null,
        [`${side}.cluster`]: cluster,
      });
      memory.set(peer, text);
    }
    return text;
  }
}

/** The authority is the client's text: what could end a field or a line is quoted. */
function unquoted(text: string): string {
  return /^[\x21-\x7e]+$/.test(text) ? text : quote(text);
}
