/** The last samples of named numbers, in one array of fixed size. */

/** A ring of samples. */
export class SampleRing<Name extends string> {
  /** The order of the numbers in each row. */
  readonly names: readonly Name[];
  readonly #capacity: number;
  readonly #values: Float64Array;
  #count = 0;
  #next = 0;

  /** `capacity`: samples that are kept. */
  constructor(names: readonly Name[], capacity: number) {
    this.names = names;
    this.#capacity = capacity;
    this.#values = new Float64Array(names.length * capacity);
  }

  /** Number of samples held. */
  get size(): number {
    return this.#count;
  }

  /** Adds a sample, in place of the oldest one where the ring is full. Returns it as a row. */
  push(sample: Readonly<Record<Name, number>>): number[] {
    const row = this.names.map((name) => sample[name]);
    this.#values.set(row, this.#next * this.names.length);
    this.#next = (this.#next + 1) % this.#capacity;
    this.#count = Math.min(this.#count + 1, this.#capacity);
    return row;
  }

  /** The samples as rows, oldest first. */
  rows(): number[][] {
    const width = this.names.length;
    const first = this.#next - this.#count + this.#capacity;
    return Array.from({ length: this.#count }, (_, i) => {
      const at = (first + i) % this.#capacity * width;
      return [...this.#values.subarray(at, at + width)];
    });
  }
}
