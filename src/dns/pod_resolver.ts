/**
 * Resolves names for the pod's own proxy: a SOCKS5 client may give a host name, which has the meaning that the pod's
 * DNS gives it (`docs/spec/inpod-dns.md` B5.13).
 */
import { LOOPBACK_V4 } from "../net/address.ts";
import type { Scheduler } from "../net/network.ts";
import type { PodResolver, ResolvedName, Resolving } from "../proxy/name_resolver.ts";
import { readAddresses } from "./address_reader.ts";
import type { PendingQuery } from "./forwarder.ts";
import type { QueryService, Requester } from "./query_service.ts";
import { writeQuestion } from "./question_writer.ts";
import { type Message, readResponse } from "./response_reader.ts";
import { NOERROR, rcodeName, TYPE_A, TYPE_AAAA } from "./wire.ts";

/** A resolver that uses `service`. Results come by timer, never from inside `resolve`. */
export function podResolver(service: QueryService, scheduler: Scheduler): PodResolver {
  return {
    resolve(hostname, family, done) {
      const type = family === "ipv4" ? TYPE_A : TYPE_AAAA;
      const question = writeQuestion(hostname, type, false);
      return question === null
        ? new InvalidName(scheduler, done)
        : new InternalQuery(service, scheduler, question, type, done);
    },
  };
}

/** The host name is no DNS name, so no query is made. */
class InvalidName implements Resolving {
  readonly #timer;

  constructor(scheduler: Scheduler, done: (result: ResolvedName) => void) {
    this.#timer = scheduler.after(0, () => done({ kind: "invalid", reason: "not a DNS name" }));
  }

  abort(): void {
    this.#timer.cancel();
  }
}

/** A query of the proxy itself. */
class InternalQuery implements Requester, Resolving {
  readonly protocol = "udp";
  readonly address = { ip: LOOPBACK_V4, port: 0 };
  readonly #scheduler: Scheduler;
  readonly #question: Message;
  readonly #type: number;
  readonly #done: (result: ResolvedName) => void;
  readonly #waiting: PendingQuery | null;
  #isDone = false;

  constructor(
    service: QueryService,
    scheduler: Scheduler,
    question: Message,
    type: number,
    done: (result: ResolvedName) => void,
  ) {
    this.#scheduler = scheduler;
    this.#question = question;
    this.#type = type;
    this.#done = done;
    this.#waiting = service.serve(question.bytes, this);
  }

  abort(): void {
    this.#isDone = true;
    this.#waiting?.abort();
  }

  answer(bytes: Uint8Array): void {
    const result = this.#read(bytes);
    // By timer: the answer may come while the constructor runs.
    this.#scheduler.after(0, () => {
      if (!this.#isDone) this.#done(result);
      this.#isDone = true;
    });
  }

  ignore(): void {}

  #read(bytes: Uint8Array): ResolvedName {
    const facts = readResponse(bytes, this.#question, 0);
    if (facts === null) return { kind: "failed", reason: "the answer cannot be read" };
    if (facts.rcode !== NOERROR) return { kind: "failed", reason: rcodeName(facts.rcode) };
    const { addresses } = readAddresses(bytes, this.#question.questionEnd!, this.#type);
    return { kind: "addresses", addresses };
  }
}
