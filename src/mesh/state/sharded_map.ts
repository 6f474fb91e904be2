/**
 * A map with text keys that grows in small steps. A plain `Map` that doubles at 65,536 entries blocks the loop for five
 * milliseconds, and the maps of one mesh all do so at the same time.
 */

/** A power of two. With the largest meshes each shard holds some thousands of keys. */
const SHARDS = 32;

/** Like `Map`, split into shards by a hash of the key. Iterates in no particular order. */
export class ShardedMap<K extends string, V> {
  readonly #shards: Map<K, V>[] = [];

  get(key: K): V | undefined {
    return this.#shards[shardOf(key)]?.get(key);
  }

  set(key: K, value: V): void {
    (this.#shards[shardOf(key)] ??= new Map()).set(key, value);
  }

  delete(key: K): boolean {
    return this.#shards[shardOf(key)]?.delete(key) ?? false;
  }

  get size(): number {
    return this.#shards.reduce((size, shard) => size + shard.size, 0);
  }

  /** Entries in the largest shard: the most that one step of growth copies. */
  get largestShard(): number {
    return this.#shards.reduce((most, shard) => Math.max(most, shard.size), 0);
  }

  /** In no particular order. */
  values(): IterableIterator<V> {
    return new Values(this.#shards.filter((shard) => shard !== undefined));
  }

  clear(): void {
    this.#shards.length = 0;
  }
}

/** An iterator and not a generator: `yield*` over shards takes four times as long, and `explain` visits every value. */
class Values<V> implements IterableIterator<V> {
  readonly #shards: readonly ReadonlyMap<unknown, V>[];
  #next = 0;
  #shard: Iterator<V, undefined> = [][Symbol.iterator]();

  constructor(shards: readonly ReadonlyMap<unknown, V>[]) {
    this.#shards = shards;
  }

  next(): IteratorResult<V, undefined> {
    for (;;) {
      const result = this.#shard.next();
      if (!result.done || this.#next === this.#shards.length) return result;
      this.#shard = this.#shards[this.#next++]!.values();
    }
  }

  [Symbol.iterator](): this {
    return this;
  }
}

/** Hashes about sixteen characters spread over the key: many names share a prefix, others a suffix. */
function shardOf(key: string): number {
  let hash = key.length;
  const step = (key.length >> 4) + 1;
  for (let i = key.length - 1; i >= 0; i -= step) hash = Math.imul(hash, 31) + key.charCodeAt(i);
  return (hash ^ (hash >>> 7)) & (SHARDS - 1);
}
