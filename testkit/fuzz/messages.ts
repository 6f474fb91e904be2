/** The messages between the program and its thread. */

/** What to run. */
export interface FuzzOrder {
  /** Of the decoder. */
  readonly name: string;
  readonly seed: number;
  /** For how long inputs are made, and how many at most. */
  readonly millis: number;
  readonly inputs: number;
  /** One element, in shared memory: the number of the input that is being decoded. */
  readonly progress: Int32Array<SharedArrayBuffer>;
}

/** What came of it. */
export interface FuzzReport {
  /** The number of inputs. */
  readonly count: number;
  /** ms of the input that took longest. */
  readonly slowest: number;
  readonly failure: { readonly index: number; readonly why: string } | null;
}
