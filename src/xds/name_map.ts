/**
 * A map for very many names. V8 doubles the table of a `Map` at once, which takes 60 ms at half a million entries and
 * blocks the loop. This map consists of many small ones, which grow at different times.
 */

const SHARDS = 128;
/** How many characters are hashed: the last ones, in which names differ most. */
const HASHED = 12;

/** A subset of the interface of `Map`. */
export class NameMap<V> {
  readonly #shards = Array.from({ length: SHARDS }, () => new Map<string, V>());
  #size = 0;

  /** The number of entries. */
  get size(): number {
    return this.#size;
  }

  get(name: string): V | undefined {
    return this.#shard(name).get(name);
  }

  has(name: string): boolean {
    return this.#shard(name).has(name);
  }

  set(name: string, value: V): void {
    const shard = this.#shard(name);
    const before = shard.size;
    shard.set(name, value);
    this.#size += shard.size - before;
  }

  delete(name: string): void {
    if (this.#shard(name).delete(name)) this.#size--;
  }

  /** Yields all entries in no particular order. */
  *[Symbol.iterator](): Generator<[name: string, value: V]> {
    for (const shard of this.#shards) yield* shard;
  }

  #shard(name: string): Map<string, V> {
    let hash = name.length;
    for (let i = Math.max(0, name.length - HASHED); i < name.length; i++) {
      hash = Math.imul(hash, 31) + name.charCodeAt(i) | 0;
    }
    return this.#shards[(hash ^ hash >>> 7 ^ hash >>> 14) & SHARDS - 1]!;
  }
}
