/** The addresses of one family that an absolute name has, along aliases from server to server. */
import type { Ip } from "../net/address.ts";
import { readAddresses } from "./address_reader.ts";
import { Exchange, type ExchangeSettings, type Outcome } from "./exchange.ts";
import { writeQuestion } from "./question_writer.ts";
import type { Message } from "./response_reader.ts";
import { NOERROR, NXDOMAIN, rcodeName } from "./wire.ts";

/** Answers that lead to another question (`docs/spec/inpod-dns.md` B5.11). */
const MAX_DEPTH = 8;

export type FamilyResult =
  /** `lifetime`: seconds. The list is empty where aliases lead to nothing. */
  | { readonly kind: "found"; readonly addresses: readonly Ip[]; readonly lifetime: number }
  /** The name, or this type of it, is not there. */
  | { readonly kind: "none"; readonly reason: string; readonly lifetime: number }
  | { readonly kind: "failed"; readonly reason: string };

export interface FamilySettings extends ExchangeSettings {
  readonly edns: boolean;
}

export class FamilyLookup {
  readonly #settings: FamilySettings;
  readonly #type: number;
  readonly #done: (result: FamilyResult) => void;
  #exchange: Exchange | null = null;
  #depth = 0;
  #lifetime = Infinity;

  /** `name` has a question (`writeQuestion`). `done` is called once, never from inside, unless aborted. */
  constructor(settings: FamilySettings, question: Message, type: number, done: (result: FamilyResult) => void) {
    this.#settings = settings;
    this.#type = type;
    this.#done = done;
    this.#ask(question);
  }

  abort(): void {
    this.#exchange?.abort();
  }

  #ask(question: Message): void {
    const own = { bytes: question.bytes.slice(), questionEnd: question.questionEnd };
    this.#exchange = new Exchange(this.#settings, own, "udp", (outcome) => this.#answered(outcome, own));
  }

  #answered(outcome: Outcome, question: Message): void {
    if (outcome.kind === "failed") return this.#done({ kind: "failed", reason: outcome.why });
    const { bytes, facts } = outcome.full;
    this.#lifetime = Math.min(this.#lifetime, facts.lifetime);
    if (facts.rcode === NXDOMAIN || (facts.rcode === NOERROR && facts.answers === 0)) {
      const reason = facts.rcode === NXDOMAIN ? rcodeName(NXDOMAIN) : "no records found";
      return this.#done({ kind: "none", reason, lifetime: this.#lifetime });
    }
    if (facts.rcode !== NOERROR) return this.#done({ kind: "failed", reason: rcodeName(facts.rcode) });
    const { addresses, canonical } = readAddresses(bytes, question.questionEnd!, this.#type);
    const next = addresses.length === 0 && ++this.#depth < MAX_DEPTH ? this.#follow(canonical, question) : null;
    if (next === null) this.#done({ kind: "found", addresses, lifetime: this.#lifetime });
    else this.#ask(next);
  }

  /** The question for where an alias leads; null where it leads nowhere else. Escaped names are not followed. */
  #follow(canonical: string, question: Message): Message | null {
    const next = canonical.includes("\\") ? null : writeQuestion(canonical, this.#type, this.#settings.edns);
    if (next === null || next.bytes.length !== question.bytes.length) return next;
    return next.bytes.every((byte, i) => i < 2 || byte === question.bytes[i]) ? null : next;
  }
}
