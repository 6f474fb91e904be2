/** Looks up the addresses of one family for an absolute name, following aliases with further questions. */
import type { Ip } from "../net/address.ts";
import { readAddresses } from "./address_reader.ts";
import { Exchange, type ExchangeSettings, type Outcome } from "./exchange.ts";
import { writeQuestion } from "./question_writer.ts";
import type { Message } from "./response_reader.ts";
import { NOERROR, NXDOMAIN, rcodeName } from "./wire.ts";

/** Further questions at most, for aliases whose target is not in the same response (`docs/spec/inpod-dns.md` B5.11). */
const MAX_DEPTH = 8;

/** The result of a lookup. */
export type FamilyResult =
  /** `lifetime`: seconds. The list is empty where the aliases lead to no address. */
  | { readonly kind: "found"; readonly addresses: readonly Ip[]; readonly lifetime: number }
  /** The name does not exist, or has no record of this type. */
  | { readonly kind: "none"; readonly reason: string; readonly lifetime: number }
  | { readonly kind: "failed"; readonly reason: string };

/** Servers and limits of a lookup. `edns`: whether questions have an OPT record. */
export interface FamilySettings extends ExchangeSettings {
  readonly edns: boolean;
}

/** A lookup in progress; it begins with the constructor. */
export class FamilyLookup {
  readonly #settings: FamilySettings;
  readonly #type: number;
  readonly #done: (result: FamilyResult) => void;
  #exchange: Exchange | null = null;
  #depth = 0;
  #lifetime = Infinity;

  /** `question`: made by `writeQuestion`. `done` is called once, after the constructor, unless aborted. */
  constructor(settings: FamilySettings, question: Message, type: number, done: (result: FamilyResult) => void) {
    this.#settings = settings;
    this.#type = type;
    this.#done = done;
    this.#ask(question);
  }

  /** Ends the lookup. `done` is not called. */
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

  /** The question for an alias's target; null where that is the same name, or has escapes, which are not followed. */
  #follow(canonical: string, question: Message): Message | null {
    const next = canonical.includes("\\") ? null : writeQuestion(canonical, this.#type, this.#settings.edns);
    if (next === null || next.bytes.length !== question.bytes.length) return next;
    return next.bytes.every((byte, i) => i < 2 || byte === question.bytes[i]) ? null : next;
  }
}
