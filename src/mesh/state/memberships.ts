/**
 * Which workload is an endpoint of which service: each membership is in the list of its workload and in that of its
 * service. Workloads and lists of services are numbers. All columns together take 24 bytes for a membership.
 */
import { columnFor, Numbers } from "./columns.ts";

/** No membership; they are stored plus one. */
const NONE = 0;

/** Memberships by workload and by service. */
export class Memberships {
  readonly #numbers = new Numbers();
  /** Columns by membership. `workload` is stored plus one, 0 stands for none. */
  #workload = new Uint32Array(0);
  #list = new Uint32Array(0);
  #nextOfWorkload = new Uint32Array(0);
  #next = new Uint32Array(0);
  #before = new Uint32Array(0);
  /** By workload. */
  #firstOfWorkload = new Uint32Array(0);
  /** By list. */
  #first = new Uint32Array(0);
  #last = new Uint32Array(0);
  #sizes = new Uint32Array(0);

  /** The number of memberships in the list of a service. */
  size(list: number): number {
    return this.#sizes[list] ?? 0;
  }

  /** The workload of a membership; -1: it has none. */
  workload(membership: number): number {
    return this.#workload[membership]! - 1;
  }

  /** The list of a membership. */
  list(membership: number): number {
    return this.#list[membership]!;
  }

  /** Memberships of a service in their order. They may be removed meanwhile, but only the one that was yielded last. */
  *ofList(list: number): Generator<number, void, undefined> {
    for (let stored = this.#first[list] ?? NONE; stored !== NONE;) {
      const membership = stored - 1;
      stored = this.#next[membership]!;
      yield membership;
    }
  }

  /** Memberships of a workload. */
  ofWorkload(workload: number): number[] {
    const found: number[] = [];
    for (let stored = this.#firstOfWorkload[workload] ?? NONE; stored !== NONE;) {
      found.push(stored - 1);
      stored = this.#nextOfWorkload[stored - 1]!;
    }
    return found;
  }

  /** Returns the membership of a workload in a list; -1: there is none. */
  find(workload: number, list: number): number {
    for (let stored = this.#firstOfWorkload[workload] ?? NONE; stored !== NONE;) {
      if (this.#list[stored - 1] === list) return stored - 1;
      stored = this.#nextOfWorkload[stored - 1]!;
    }
    return -1;
  }

  /** Adds a membership at the end of a list. `workload` -1: it has none. */
  add(workload: number, list: number): number {
    const membership = this.#numbers.take();
    this.#reserve(membership, list);
    this.#list[membership] = list;
    const last = this.#last[list]!;
    this.#before[membership] = last;
    this.#next[membership] = NONE;
    if (last === NONE) this.#first[list] = membership + 1;
    else this.#next[last - 1] = membership + 1;
    this.#last[list] = membership + 1;
    this.#sizes[list]!++;
    this.#workload[membership] = 0;
    this.assign(membership, workload);
    return membership;
  }

  #reserve(membership: number, list: number): void {
    this.#workload = columnFor(this.#workload, membership);
    this.#list = columnFor(this.#list, membership);
    this.#nextOfWorkload = columnFor(this.#nextOfWorkload, membership);
    this.#next = columnFor(this.#next, membership);
    this.#before = columnFor(this.#before, membership);
    this.#first = columnFor(this.#first, list);
    this.#last = columnFor(this.#last, list);
    this.#sizes = columnFor(this.#sizes, list);
  }

  /** Gives the membership to a workload, or (-1) to none. It keeps its place in the list. */
  assign(membership: number, workload: number): void {
    const owner = this.#workload[membership]! - 1;
    if (owner >= 0) this.#unlinkFromWorkload(membership, owner);
    this.#workload[membership] = workload + 1;
    if (workload < 0) return;
    this.#firstOfWorkload = columnFor(this.#firstOfWorkload, workload);
    this.#nextOfWorkload[membership] = this.#firstOfWorkload[workload]!;
    this.#firstOfWorkload[workload] = membership + 1;
  }

  #unlinkFromWorkload(membership: number, workload: number): void {
    const next = this.#nextOfWorkload[membership]!;
    let stored = this.#firstOfWorkload[workload]!;
    if (stored === membership + 1) {
      this.#firstOfWorkload[workload] = next;
      return;
    }
    while (this.#nextOfWorkload[stored - 1] !== membership + 1) stored = this.#nextOfWorkload[stored - 1]!;
    this.#nextOfWorkload[stored - 1] = next;
  }

  /** Removes a membership. */
  remove(membership: number): void {
    this.assign(membership, -1);
    const list = this.#list[membership]!;
    const before = this.#before[membership]!, next = this.#next[membership]!;
    if (before === NONE) this.#first[list] = next;
    else this.#next[before - 1] = next;
    if (next === NONE) this.#last[list] = before;
    else this.#before[next - 1] = before;
    this.#sizes[list]!--;
    this.#numbers.giveBack(membership);
  }

  clear(): void {
    this.#numbers.clear();
    this.#workload = new Uint32Array(0);
    this.#list = new Uint32Array(0);
    this.#nextOfWorkload = new Uint32Array(0);
    this.#next = new Uint32Array(0);
    this.#before = new Uint32Array(0);
    this.#firstOfWorkload = new Uint32Array(0);
    this.#first = new Uint32Array(0);
    this.#last = new Uint32Array(0);
    this.#sizes = new Uint32Array(0);
  }
}
