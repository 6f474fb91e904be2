/**
 * What happens to one message of a client, however it came (`docs/spec/inpod-dns.md` B5.2, B5.4, B5.10).
 *
 *     read ──▶ who is the client ──▶ of the mesh? ──yes─▶ answer
 *      │              │                   └──────no─▶ known here? ──no─▶ forwarded ─▶ answer
 *      │              └─ not known in time ─▶ SERVFAIL
 *      ├─ not a QUERY ─▶ forwarded
 *      └─ cannot be read ─▶ FORMERR, SERVFAIL, nothing
 */
import type { Millis } from "../net/clock.ts";
import type { Workload } from "../mesh/model/model.ts";
import type { MeshState } from "../mesh/state/state.ts";
import { formatAddress, type SocketAddress } from "../net/address.ts";
import type { Scheduler } from "../net/network.ts";
import { ShedReport } from "../net/shed_report.ts";
import type { LocalWorkload } from "../mesh/state/local_workload.ts";
import { LogScope } from "../telemetry/log.ts";
import { bare } from "../telemetry/log_fields.ts";
import { LEVEL } from "../telemetry/log_level.ts";
import { type Protocol, writeAnswer, writeFailure } from "./answer_writer.ts";
import type { DnsTelemetry, QueryCells } from "./dns_telemetry.ts";
import type { Outcome } from "./exchange.ts";
import { type Forwarder, isTransfer, type Waiting } from "./forwarder.ts";
import { domainText, failureText, fittingReply } from "./forwarded_reply.ts";
import type { HostsFile } from "./hosts_file.ts";
import { askLocally, type LocalSource } from "./local_sources.ts";
import { type LocalAnswer, lookup, type LookupSettings, type Notice } from "./lookup.ts";
import { type Query, readQuery } from "./query_reader.ts";
import { isEmptyAnswer } from "./response_reader.ts";
import { FLAGS_AT, FORMERR, HEADER_LENGTH, MAX_MESSAGE, NOERROR, opcodeOf, SERVFAIL, typeName, word } from "./wire.ts";
import { type GivenStream, type TransferParts, ZoneTransfer } from "./zone_transfer.ts";

/** Of local answers, seconds. */
const TTL = 30;
/** Messages that wait for the client's workload to be known. */
const MAX_WAITING = 256;
/** They may last, and each has a connection to a nameserver. */
const MAX_TRANSFERS = 16;

/** Who wants an answer. One of the two is called once, or none when the service closes or the wait was aborted. */
export interface Asker {
  readonly protocol: Protocol;
  readonly address: SocketAddress;
  /** `bytes` is lent. */
  answer(bytes: Uint8Array): void;
  /** There will be no answer. */
  ignore(): void;
  /** Over TCP: gives up its connection, with the message that it asked last. Nothing is called then. */
  giveStream?(message: Uint8Array): GivenStream;
}

export interface ServiceParts {
  readonly scheduler: Scheduler;
  readonly state: MeshState;
  /** The pod served: its namespace and network decide what it sees, whatever address a query comes from. */
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

/** One for all services of the isolate: an answer is sent before the next is written. */
const output = new Uint8Array(MAX_MESSAGE);

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

  /** `request` is lent. Non-null: what to abort when the client is gone. */
  serve(request: Uint8Array, asker: Asker): Waiting | null {
    const reading = readQuery(request);
    switch (reading.kind) {
      case "query":
        return this.#identify(request, reading.query, asker);
      case "foreign":
        return this.#identify(request, null, asker);
      case "nothing":
        asker.ignore();
        return null;
      case "malformed":
        return this.#reject(request, FORMERR, reading.why, asker);
      case "questions":
        return this.#reject(request, SERVFAIL, `there were ${reading.count} questions in one message`, asker);
      default:
        return reading satisfies never;
    }
  }

  /** Nobody who waits is answered. Idempotent. */
  close(): void {
    for (const stop of this.#waiting) stop();
    this.#waiting.clear();
    this.#parts.forwarder.close();
    this.#rejected.close();
    this.#overloaded.close();
  }

  #reject(request: Uint8Array, rcode: number, why: string, asker: Asker): null {
    this.#rejected.add(1, why);
    this.#parts.telemetry.cells(this.#parts.local.current, null, asker.protocol).answered();
    this.#fail(request, rcode, null, asker);
    return null;
  }

  #identify(request: Uint8Array, query: Query | null, asker: Asker): Waiting | null {
    const client = this.#parts.local.current;
    if (client !== null) return this.#answer(client, request, query, asker);
    const { dnsWaitLimit } = this.#parts.local;
    if (dnsWaitLimit === 0 || this.#waiting.size >= MAX_WAITING) {
      this.#unknownSource(request, query, asker);
      return null;
    }
    const own = request.slice();
    let later: Waiting | null = null;
    const stop = this.#parts.local.wait((found) => {
      this.#waiting.delete(stop);
      if (found === null) this.#unknownSource(own, query, asker);
      else later = this.#answer(found, own, query, asker);
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

  #unknownSource(request: Uint8Array, query: Query | null, asker: Asker): void {
    this.#parts.log.debug("unknown source");
    this.#parts.telemetry.cells(null, query?.type ?? null, asker.protocol).answered();
    this.#fail(request, SERVFAIL, query, asker);
  }

  #answer(client: Workload, request: Uint8Array, query: Query | null, asker: Asker): Waiting | null {
    const { state, telemetry, lookup: settings, random } = this.#parts;
    const cells = telemetry.cells(client, query?.type ?? null, asker.protocol);
    cells.answered();
    const answer = query === null ? null : lookup(state, client, query, settings, random, this.#notice(query, asker));
    if (answer === null) return this.#forward(client, request, query, cells, asker);
    if (telemetry.logsAccess) this.#log(client, request, query, answer.result, answer.addresses.length);
    this.#answerLocally(request, query!, answer, asker);
    return null;
  }

  #answerLocally(request: Uint8Array, query: Query, { addresses, aliasLabels }: LocalAnswer, asker: Asker): void {
    const records = { addresses, aliasLabels, ttl: TTL, authoritative: true };
    asker.answer(output.subarray(0, writeAnswer(request, query, records, asker.protocol, output)));
  }

  #forward(
    client: Workload,
    request: Uint8Array,
    query: Query | null,
    cells: QueryCells,
    asker: Asker,
  ): Waiting | null {
    const known = query === null ? null : askLocally(query, this.#parts.hosts);
    if (known !== null) {
      this.#answerKnown(client, request, query!, known, cells, asker);
      return null;
    }
    if (query !== null && isTransfer(query) && asker.giveStream !== undefined) {
      return this.#transfer(client, request.slice(), query, cells, asker);
    }
    const { scheduler, forwarder } = this.#parts;
    const startedAt = scheduler.now();
    let own = request;
    const waiting = forwarder.forward(request, query, asker.protocol, (outcome) => {
      this.#forwarded({ client, request: own, query, cells, asker, outcome, duration: scheduler.now() - startedAt });
    });
    // Lent until now; whoever waits has the time to copy what an answer needs of it.
    if (waiting !== null) own = request.slice(0, query?.questionEnd ?? HEADER_LENGTH);
    return waiting;
  }

  #transfer(client: Workload, request: Uint8Array, query: Query, cells: QueryCells, asker: Asker): Waiting | null {
    const { scheduler, transfers } = this.#parts;
    const startedAt = scheduler.now();
    const settle = (outcome: Outcome) => {
      const duration = scheduler.now() - startedAt;
      this.#forwarded({ client, request, query, cells, asker, outcome, duration });
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
        const given = asker.giveStream!(request);
        return { ...given, onEnd: () => (end(), given.onEnd()) };
      },
      onUnreachable(code) {
        end();
        settle({ kind: "failed", why: `nameserver cannot be reached: ${code}` });
      },
    });
    return { abort: () => (end(), transfer.abort()) };
  }

  #answerKnown(
    client: Workload,
    request: Uint8Array,
    query: Query,
    known: LocalSource,
    cells: QueryCells,
    asker: Asker,
  ): void {
    cells.forwarded(0, known.kind !== "records");
    const rcode = known.kind === "error" ? known.rcode : NOERROR;
    if (known.kind !== "records") {
      this.#log(client, request, query, failureText(rcode, known.kind === "empty"), 0);
      return this.#fail(request, rcode, query, asker);
    }
    const { records } = known;
    this.#log(client, request, query, "forwarded", records.addresses.length + (records.pointer === undefined ? 0 : 1));
    asker.answer(output.subarray(0, writeAnswer(request, query, records, asker.protocol, output)));
  }

  #forwarded({ client, request, query, cells, asker, outcome, duration }: Forwarded): void {
    if (outcome.kind === "failed") {
      if (outcome.overload === true) this.#overloaded.add(1, outcome.why);
      cells.forwarded(duration, true);
      this.#log(client, request, query, `forwarding failed (${outcome.why})`, 0);
      return this.#fail(request, SERVFAIL, query, asker);
    }
    const { facts } = outcome.full;
    const empty = isEmptyAnswer(facts, opcodeOf(word(request, FLAGS_AT)));
    const failed = facts.rcode !== NOERROR || empty;
    cells.forwarded(duration, failed);
    this.#log(client, request, query, failed ? failureText(facts.rcode, empty) : "forwarded", facts.answers);
    asker.answer(fittingReply(request, query, outcome, asker.protocol, output));
  }

  #fail(request: Uint8Array, rcode: number, query: Query | null, asker: Asker): void {
    asker.answer(output.subarray(0, writeFailure(request, rcode, query?.questionEnd ?? null, output)));
  }

  #notice(query: Query, asker: Asker): Notice {
    const { log } = this.#parts;
    if (!log.isEnabled(LEVEL.debug)) return null;
    const type = bare(typeName(query.type) ?? `TYPE${query.type}`);
    const fields = { src: bare(formatAddress(asker.address)), query: type, name: bare(`${query.name}.`) };
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
  readonly asker: Asker;
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
