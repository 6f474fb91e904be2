/**
 * Handles one message of a client, whatever its transport (`docs/spec/inpod-dns.md` B5.2, B5.4, B5.10).
 *
 *     read ──▶ client's workload ──▶ of the mesh? ──yes─▶ answer
 *      │              │                   └──────no─▶ local source? ─no─▶ forwarded ─▶ answer
 *      │              └─ does not arrive in time ─▶ SERVFAIL
 *      ├─ not a QUERY ─▶ forwarded
 *      └─ cannot be read ─▶ FORMERR, SERVFAIL, nothing
 */
import type { Workload } from "../mesh/model/model.ts";
import type { MeshState } from "../mesh/state/state.ts";
import { formatAddress, type SocketAddress } from "../net/address.ts";
import type { Millis } from "../net/clock.ts";
import type { Scheduler } from "../net/network.ts";
import { ShedReport } from "../net/shed_report.ts";
import type { LocalWorkload } from "../mesh/state/local_workload.ts";
import { LogScope } from "../telemetry/log.ts";
import { bare } from "../telemetry/log_fields.ts";
import { LEVEL } from "../telemetry/log_level.ts";
import { type Protocol, writeAnswer, writeFailure } from "./answer_writer.ts";
import type { DnsTelemetry, QueryCells } from "./dns_telemetry.ts";
import type { Outcome } from "./exchange.ts";
import { type Forwarder, isTransfer, type PendingQuery } from "./forwarder.ts";
import { domainText, failureText, fittingReply } from "./forwarded_reply.ts";
import type { HostsFile } from "./hosts_file.ts";
import { answerLocally, type LocalSource } from "./local_sources.ts";
import { type LocalAnswer, lookup, type LookupSettings, type Notice } from "./lookup.ts";
import { type Query, readQuery } from "./query_reader.ts";
import { isEmptyAnswer } from "./response_reader.ts";
import { FLAGS_AT, FORMERR, HEADER_LENGTH, MAX_MESSAGE, NOERROR, opcodeOf, SERVFAIL, typeName, word } from "./wire.ts";
import { type DetachedStream, type TransferParts, ZoneTransfer } from "./zone_transfer.ts";

/** TTL of answers from the mesh, seconds. */
const TTL = 30;
/** Messages that wait for the client's workload to arrive. */
const MAX_WAITING = 256;
/** Zone transfers may take long, and each has a connection to a nameserver. */
const MAX_TRANSFERS = 16;

/**
 * The sender of a message. `answer` or `ignore` is called once; neither, when the service closes or the query is
 * aborted.
 */
export interface Requester {
  readonly protocol: Protocol;
  readonly address: SocketAddress;
  /** Sends the answer. `bytes` is lent. */
  answer(bytes: Uint8Array): void;
  /** Called where the message gets no answer. */
  ignore(): void;
  /** TCP only: hands over the connection, with `message` to be sent again. No method is called after that. */
  detachStream?(message: Uint8Array): DetachedStream;
}

/** What the service needs. */
interface ServiceParts {
  readonly scheduler: Scheduler;
  readonly state: MeshState;
  /** The pod that is served. Its namespace and network decide the answers; the address of the query does not. */
  readonly local: LocalWorkload;
  readonly lookup: LookupSettings;
  readonly hosts: HostsFile;
  readonly forwarder: Forwarder;
  readonly transfers: TransferParts;
  readonly telemetry: DnsTelemetry;
  /** `ztunnel::dns::server` */
  readonly log: LogScope;
  /** In [0, 1). */
  readonly random: () => number;
}

/** Shared by all services of the isolate: an answer is sent before the next is written. */
const output = new Uint8Array(MAX_MESSAGE);

/** Answers the messages of one pod. */
export class QueryService {
  readonly #parts: ServiceParts;
  readonly #rejected: ShedReport;
  readonly #overloaded: ShedReport;
  readonly #waiting = new Set<() => void>();
  #transferring = 0;

  constructor(parts: ServiceParts) {
    this.#parts = parts;
    const { scheduler, log } = parts;
    this.#rejected = new ShedReport(scheduler, (count, reason) => {
      log.warn("DNS messages could not be read and were refused", { count, reason });
    });
    this.#overloaded = new ShedReport(scheduler, (count, reason) => {
      log.warn("DNS questions were not forwarded; do the nameservers of resolv.conf answer?", { count, reason });
    });
  }

  /** Handles a message. `request` is lent. A returned query waits; the caller aborts it when the client disconnects. */
  serve(request: Uint8Array, requester: Requester): PendingQuery | null {
    const reading = readQuery(request);
    switch (reading.kind) {
      case "query":
        return this.#identify(request, reading.query, requester);
      case "foreign":
        return this.#identify(request, null, requester);
      case "nothing":
        requester.ignore();
        return null;
      case "malformed":
        return this.#reject(request, FORMERR, reading.why, requester);
      case "questions":
        return this.#reject(request, SERVFAIL, `there were ${reading.count} questions in one message`, requester);
      default:
        return reading satisfies never;
    }
  }

  /** Ends all queries without an answer. Idempotent. */
  close(): void {
    for (const stop of this.#waiting) stop();
    this.#waiting.clear();
    this.#parts.forwarder.close();
    this.#rejected.close();
    this.#overloaded.close();
  }

  #reject(request: Uint8Array, rcode: number, why: string, requester: Requester): null {
    this.#rejected.add(1, why);
    this.#parts.telemetry.cells(this.#parts.local.current, null, requester.protocol).answered();
    this.#fail(request, rcode, null, requester);
    return null;
  }

  #identify(request: Uint8Array, query: Query | null, requester: Requester): PendingQuery | null {
    const client = this.#parts.local.current;
    if (client !== null) return this.#answer(client, request, query, requester);
    const { dnsWaitLimit } = this.#parts.local;
    if (dnsWaitLimit === 0 || this.#waiting.size >= MAX_WAITING) {
      this.#unknownSource(request, query, requester);
      return null;
    }
    const own = request.slice();
    let later: PendingQuery | null = null;
    const stop = this.#parts.local.wait((found) => {
      this.#waiting.delete(stop);
      if (found === null) this.#unknownSource(own, query, requester);
      else later = this.#answer(found, own, query, requester);
    }, dnsWaitLimit);
    this.#waiting.add(stop);
    return {
      abort: () => {
        stop();
        this.#waiting.delete(stop);
        later?.abort();
      },
    };
  }

  #unknownSource(request: Uint8Array, query: Query | null, requester: Requester): void {
    this.#parts.log.debug("unknown source");
    this.#parts.telemetry.cells(null, query?.type ?? null, requester.protocol).answered();
    this.#fail(request, SERVFAIL, query, requester);
  }

  #answer(client: Workload, request: Uint8Array, query: Query | null, requester: Requester): PendingQuery | null {
    const { state, telemetry, lookup: settings, random } = this.#parts;
    const cells = telemetry.cells(client, query?.type ?? null, requester.protocol);
    cells.answered();
    const answer = query === null
      ? null
      : lookup(state, client, query, settings, random, this.#notice(query, requester));
    if (answer === null) return this.#forward(client, request, query, cells, requester);
    if (telemetry.logsAccess) this.#log(client, request, query, answer.result, answer.addresses.length);
    this.#answerFromMesh(request, query!, answer, requester);
    return null;
  }

  #answerFromMesh(
    request: Uint8Array,
    query: Query,
    { addresses, aliasLabels }: LocalAnswer,
    requester: Requester,
  ): void {
    const records = { addresses, aliasLabels, ttl: TTL, authoritative: true };
    requester.answer(output.subarray(0, writeAnswer(request, query, records, requester.protocol, output)));
  }

  #forward(
    client: Workload,
    request: Uint8Array,
    query: Query | null,
    cells: QueryCells,
    requester: Requester,
  ): PendingQuery | null {
    const known = query === null ? null : answerLocally(query, this.#parts.hosts);
    if (known !== null) {
      this.#answerFromLocalSource(client, request, query!, known, cells, requester);
      return null;
    }
    if (query !== null && isTransfer(query) && requester.detachStream !== undefined) {
      return this.#transfer(client, request.slice(), query, cells, requester);
    }
    const { scheduler, forwarder } = this.#parts;
    const startedAt = scheduler.now();
    let own = request;
    const waiting = forwarder.forward(request, query, requester.protocol, (outcome) => {
      this.#forwarded({
        client,
        request: own,
        query,
        cells,
        requester,
        outcome,
        duration: scheduler.now() - startedAt,
      });
    });
    // `request` is lent, so a query that waits copies what its answer needs.
    if (waiting !== null) own = request.slice(0, query?.questionEnd ?? HEADER_LENGTH);
    return waiting;
  }

  #transfer(
    client: Workload,
    request: Uint8Array,
    query: Query,
    cells: QueryCells,
    requester: Requester,
  ): PendingQuery | null {
    const { scheduler, transfers } = this.#parts;
    const startedAt = scheduler.now();
    const settle = (outcome: Outcome) => {
      const duration = scheduler.now() - startedAt;
      this.#forwarded({ client, request, query, cells, requester, outcome, duration });
    };
    if (this.#transferring >= MAX_TRANSFERS) {
      settle({ kind: "failed", why: "too many zone transfers are under way already", overload: true });
      return null;
    }
    this.#transferring++;
    const end = once(() => this.#transferring--);
    const transfer = new ZoneTransfer(transfers, {
      onConnected: () => {
        cells.forwarded(scheduler.now() - startedAt, false);
        this.#log(client, request, query, "forwarded", 0);
        const given = requester.detachStream!(request);
        return { ...given, onEnd: () => (end(), given.onEnd()) };
      },
      onUnreachable(code) {
        end();
        settle({ kind: "failed", why: `nameserver cannot be reached: ${code}` });
      },
    });
    return { abort: () => (end(), transfer.abort()) };
  }

  #answerFromLocalSource(
    client: Workload,
    request: Uint8Array,
    query: Query,
    known: LocalSource,
    cells: QueryCells,
    requester: Requester,
  ): void {
    cells.forwarded(0, known.kind !== "records");
    const rcode = known.kind === "error" ? known.rcode : NOERROR;
    if (known.kind !== "records") {
      this.#log(client, request, query, failureText(rcode, known.kind === "empty"), 0);
      return this.#fail(request, rcode, query, requester);
    }
    const { records } = known;
    this.#log(client, request, query, "forwarded", records.addresses.length + (records.pointer === undefined ? 0 : 1));
    requester.answer(output.subarray(0, writeAnswer(request, query, records, requester.protocol, output)));
  }

  #forwarded({ client, request, query, cells, requester, outcome, duration }: Forwarded): void {
    if (outcome.kind === "failed") {
      if (outcome.overload === true) this.#overloaded.add(1, outcome.why);
      cells.forwarded(duration, true);
      this.#log(client, request, query, `forwarding failed (${outcome.why})`, 0);
      return this.#fail(request, SERVFAIL, query, requester);
    }
    const { facts } = outcome.full;
    const empty = isEmptyAnswer(facts, opcodeOf(word(request, FLAGS_AT)));
    const failed = facts.rcode !== NOERROR || empty;
    cells.forwarded(duration, failed);
    this.#log(client, request, query, failed ? failureText(facts.rcode, empty) : "forwarded", facts.answers);
    requester.answer(fittingReply(request, query, outcome, requester.protocol, output));
  }

  #fail(request: Uint8Array, rcode: number, query: Query | null, requester: Requester): void {
    requester.answer(output.subarray(0, writeFailure(request, rcode, query?.questionEnd ?? null, output)));
  }

  #notice(query: Query, requester: Requester): Notice {
    const { log } = this.#parts;
    if (!log.isEnabled(LEVEL.debug)) return null;
    const type = bare(typeName(query.type) ?? `TYPE${query.type}`);
    const fields = { src: bare(formatAddress(requester.address)), query: type, name: bare(`${query.name}.`) };
    const inside = new LogScope(log.log, log.target, [...log.spans, { name: "lookup", fields, level: LEVEL.debug }]);
    return (message, values) => inside.debug(message, values);
  }

  #log(client: Workload, request: Uint8Array, query: Query | null, result: string, endpoints: number): void {
    const { telemetry } = this.#parts;
    if (!telemetry.logsAccess) return;
    telemetry.access({ client, type: query?.type ?? null, domain: domainText(request, query), result, endpoints });
  }
}

interface Forwarded {
  readonly client: Workload;
  readonly request: Uint8Array;
  readonly query: Query | null;
  readonly cells: QueryCells;
  readonly requester: Requester;
  readonly outcome: Outcome;
  readonly duration: Millis;
}

function once(run: () => void): () => void {
  let ran = false;
  return () => {
    if (!ran) run();
    ran = true;
  };
}
