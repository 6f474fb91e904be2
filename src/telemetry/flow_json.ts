/** Flows as JSON. Followers get a document for each opening and each ending, so its fixed parts are kept as bytes. */
import { isIpv4, type SocketAddress } from "../net/address.ts";
import { type FlowParts, verdictOf } from "./flow.ts";
import type { PastEvent } from "./flow_ring.ts";
import { JsonBytes, jsonConstant } from "./json_bytes.ts";
import { timestamps } from "./timestamp.ts";
import type { TrafficPeer } from "./traffic_peer.ts";

const BEGIN_EVENT = jsonConstant('{"event":"');
const BEGIN_TIME = jsonConstant('","time":"');
const BEGIN_POD = jsonConstant('{"pod":');
/** The fields of a `Flow` in their order, each with the end of the one before it. */
const ID = jsonConstant(',"id":"');
const DIRECTION = jsonConstant('","direction":"');
const STATE = jsonConstant('","state":"');
const VERDICT = jsonConstant('","verdict":"');
const SOURCE = jsonConstant('","source":{"address":"');
const DESTINATION = jsonConstant('},"destination":{"address":"');
const TARGET = jsonConstant('},"target":');
const SERVICE = jsonConstant(',"service":');
const HBONE = jsonConstant(',"protocol":"HBONE","tls":');
const TCP = jsonConstant(',"protocol":"TCP","tls":');
const CARRIER = jsonConstant(',"carrier":');
const ATTEMPT = jsonConstant(',"attempt":');
const DECISION = jsonConstant(',"decision":');
const DRY_RUNS = jsonConstant(',"dryRuns":');
const NO_DRY_RUNS = jsonConstant(',"dryRuns":[]');
const BYTES_SENT = jsonConstant(',"bytesSent":');
const BYTES_RECEIVED = jsonConstant(',"bytesReceived":');
const AGE = jsonConstant(',"age":');
const IDLE = jsonConstant(',"idle":');
const RESOLVED = jsonConstant(',"times":{"resolved":');
const AUTHORIZED = jsonConstant(',"authorized":');
const CONNECTED = jsonConstant(',"connected":');
const HANDSHAKEN = jsonConstant(',"handshaken":');
const ANSWERED = jsonConstant(',"answered":');
const CLIENT_BYTE = jsonConstant(',"clientByte":');
const SERVER_BYTE = jsonConstant(',"serverByte":');
const ENDING = jsonConstant('},"ending":');
const FLAG = jsonConstant(',"flag":');
const ERROR = jsonConstant(',"error":');
const TLS_VERSION = jsonConstant('{"version":"');
const TLS_GROUP = jsonConstant('","group":"');
const ENDING_BY = jsonConstant('{"by":"');
const ENDING_HOW = jsonConstant('","how":"');
const ENDING_PHASE = jsonConstant('","phase":"');
const SPAN_BEGUN = jsonConstant(',"span":{"id":"');
const SPAN_BEGUN_END = jsonConstant('","parent":null,"sampled":');
const SPAN_CONTINUED = jsonConstant(',"span":{"id":null,"parent":"');
const SPAN_CONTINUED_END = jsonConstant('","sampled":');
const SAMPLED = jsonConstant("true}"), NOT_SAMPLED = jsonConstant("false}");
const END = jsonConstant("}"), END_OF_TEXT = jsonConstant('"}'), QUOTE = jsonConstant('"'), NULL = jsonConstant("null");
const UNKNOWN_SIDE = jsonConstant('","workload":null,"namespace":null,"identity":null');

/** Characters of a `traceparent` (W3C Trace Context §3.2.2). */
const SPAN_FROM = 36, SPAN_TO = 52, FLAGS_END = 54;

/** Writes flows; each call returns bytes that are valid until the next one. */
export class FlowJson {
  readonly #json = new JsonBytes();
  readonly #timestamp = timestamps(3);

  /** A `FlowEvent`. */
  event({ kind, time, parts }: PastEvent): Uint8Array {
    const json = this.#json;
    json.clear();
    json.constant(BEGIN_EVENT);
    json.ascii(kind);
    json.constant(BEGIN_TIME);
    json.ascii(this.#timestamp(time * 1000));
    json.constant(QUOTE);
    writeFields(json, parts);
    if (parts.traceparent !== null) writeSpan(json, parts.traceparent, parts.continuesTrace);
    json.constant(END);
    return json.written;
  }

  /** A `Flow` with the pod that it belongs to. */
  open(pod: string, parts: FlowParts): Uint8Array {
    const json = this.#json;
    json.clear();
    json.constant(BEGIN_POD);
    json.text(pod);
    writeFields(json, parts);
    json.constant(END);
    return json.written;
  }
}

/** Words that only this program and the TLS library make are written as they are; others may need to be escaped. */
function writeFields(json: JsonBytes, parts: FlowParts): void {
  const { sides, mutualTls, dryRuns, times } = parts;
  json.constant(ID);
  json.ascii(parts.id);
  json.constant(DIRECTION);
  json.ascii(parts.direction);
  json.constant(STATE);
  json.ascii(parts.state);
  json.constant(VERDICT);
  json.ascii(verdictOf(parts));
  json.constant(SOURCE);
  writeAddress(json, parts.source);
  writeSide(json, sides?.source ?? null, mutualTls);
  json.constant(DESTINATION);
  writeAddress(json, parts.destination);
  writeSide(json, sides?.destination ?? null, mutualTls);
  json.constant(TARGET);
  writeTarget(json, parts.target);
  json.constant(SERVICE);
  json.text(parts.service);
  json.constant(parts.isHbone ? HBONE : TCP);
  writeTls(json, parts.tls);
  json.constant(CARRIER);
  json.number(parts.carrier);
  json.constant(ATTEMPT);
  json.number(parts.attempt);
  json.constant(DECISION);
  json.text(parts.decision);
  json.constant(dryRuns.length === 0 ? NO_DRY_RUNS : DRY_RUNS);
  if (dryRuns.length > 0) json.json(dryRuns);
  json.constant(BYTES_SENT);
  json.number(parts.bytesSent);
  json.constant(BYTES_RECEIVED);
  json.number(parts.bytesReceived);
  json.constant(AGE);
  json.number(parts.age);
  json.constant(IDLE);
  json.number(parts.idle);
  json.constant(RESOLVED);
  json.number(times.resolved);
  json.constant(AUTHORIZED);
  json.number(times.authorized);
  json.constant(CONNECTED);
  json.number(times.connected);
  json.constant(HANDSHAKEN);
  json.number(times.handshaken);
  json.constant(ANSWERED);
  json.number(times.answered);
  json.constant(CLIENT_BYTE);
  json.number(times.clientByte);
  json.constant(SERVER_BYTE);
  json.number(times.serverByte);
  json.constant(ENDING);
  writeEnding(json, parts.ending);
  json.constant(FLAG);
  json.text(parts.flag);
  json.constant(ERROR);
  json.text(parts.error);
}

function writeAddress(json: JsonBytes, { ip, port }: SocketAddress): void {
  const isV6 = !isIpv4(ip);
  if (isV6) json.ascii("[");
  json.ascii(ip);
  json.ascii(isV6 ? "]:" : ":");
  json.number(port);
}

function writeTarget(json: JsonBytes, target: FlowParts["target"]): void {
  if (typeof target === "string") return json.text(target);
  json.constant(QUOTE);
  writeAddress(json, target);
  json.constant(QUOTE);
}

function writeTls(json: JsonBytes, tls: FlowParts["tls"]): void {
  if (tls === null) return json.constant(NULL);
  json.constant(TLS_VERSION);
  json.ascii(tls.version);
  json.constant(TLS_GROUP);
  json.ascii(tls.group);
  json.constant(END_OF_TEXT);
}

function writeEnding(json: JsonBytes, ending: FlowParts["ending"]): void {
  if (ending === null) return json.constant(NULL);
  json.constant(ENDING_BY);
  json.ascii(ending.by);
  json.constant(ENDING_HOW);
  json.ascii(ending.how);
  json.constant(ENDING_PHASE);
  json.ascii(ending.phase);
  json.constant(END_OF_TEXT);
}

function writeSpan(json: JsonBytes, traceparent: string, continuesTrace: boolean): void {
  json.constant(continuesTrace ? SPAN_CONTINUED : SPAN_BEGUN);
  json.ascii(traceparent, SPAN_FROM, SPAN_TO);
  json.constant(continuesTrace ? SPAN_CONTINUED_END : SPAN_BEGUN_END);
  const isSampled = (Number.parseInt(traceparent.charAt(FLAGS_END), 16) & 1) === 1;
  json.constant(isSampled ? SAMPLED : NOT_SAMPLED);
}

const encoder = new TextEncoder();

/** What is known of a side behind its address, with and without identity. It lives as long as the side. */
const secureSides = new WeakMap<TrafficPeer, Uint8Array>();
const plainSides = new WeakMap<TrafficPeer, Uint8Array>();

function writeSide(json: JsonBytes, peer: TrafficPeer | null, isSecure: boolean): void {
  if (peer === null) return json.constant(UNKNOWN_SIDE);
  const cache = isSecure ? secureSides : plainSides;
  let side = cache.get(peer);
  if (side === undefined) {
    const { workload, namespace, identity } = peer.log;
    const fields = JSON.stringify({ workload, namespace, identity: isSecure ? identity : null });
    side = encoder.encode(`",${fields.slice(1, -1)}`);
    cache.set(peer, side);
  }
  json.raw(side);
}
