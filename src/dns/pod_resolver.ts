/**
 * Names for the pod's own proxy: a SOCKS5 client may name its destination, and means what the pod's DNS says
 * (`docs/spec/inpod-dns.md` B5.13).
 */
import { LOOPBACK_V4 } from "../net/address.ts";
import type { Scheduler } from "../net/network.ts";
import type { PodResolver, ResolvedName, Resolving } from "../proxy/name_resolver.ts";
import { readAddresses } from "./address_reader.ts";
import type { Waiting } from "./forwarder.ts";
import type { Asker, QueryService } from "./query_service.ts";
import { writeQuestion } from "./question_writer.ts";
import { type Message, readResponse } from "./response_reader.ts";
import { NOERROR, rcodeName, TYPE_A, TYPE_AAAA } from "./wire.ts";

export function podResolver(service: QueryService, scheduler: Scheduler): PodResolver {
  return {
    resolve(hostname, family, done) {
      const type = family === "ipv4" ? TYPE_A : TYPE_AAAA;
      const question = writeQuestion(hostname, type, false);
      return question === null
        ? new Ready(scheduler, done)
        : new InnerQuestion(service, scheduler, question, type, done);
    },
  };
}

/** Nothing is asked. */
class Ready implements Resolving {
  readonly #timer;

  constructor(scheduler: Scheduler, done: (result: ResolvedName) => void) {
    this.#timer = scheduler.after(0, () => done({ kind: "invalid", reason: "not a DNS name" }));
  }

  abort(): void {
    this.#timer.cancel();
  }
}

/** A client that is the proxy itself. */
class InnerQuestion implements Asker, Resolving {
  readonly protocol = "udp";
  readonly address = { ip: LOOPBACK_V4, port: 0 };
  readonly #scheduler: Scheduler;
  readonly #question: Message;
  readonly #type: number;
  readonly #done: (result: ResolvedName) => void;
  readonly #waiting: Waiting | null;
  #over = false;

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
    this.#over = true;
    this.#waiting?.abort();
  }

  answer(bytes: Uint8Array): void {
    const result = this.#read(bytes);
    // It may be known at once, but nobody expects to be called from inside.
    this.#scheduler.after(0, () => {
      if (!this.#over) this.#done(result);
      this.#over = true;
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
