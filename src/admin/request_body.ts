/** The body of a request, for the few handlers that use one. */

/** Read by the handler, or skipped after the response. */
export interface RequestBody {
  /** All bytes, or a text that says why there are none. `most`: bytes that are accepted. */
  read(most: number): Promise<Uint8Array | string>;
}

/** An empty body. */
export const NO_BODY: RequestBody = { read: () => Promise.resolve(new Uint8Array()) };
