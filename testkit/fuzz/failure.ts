/** Describes an input that a decoder does not take as it promises. */
import type { FuzzedDecoder } from "./decoder.ts";

/** Returns why `decoder` does not take `input` as it promises; null: it does. */
export function failureOf({ run }: FuzzedDecoder, input: Uint8Array): string | null {
  try {
    run(input);
    return null;
  } catch (error) {
    return error instanceof Error ? error.stack ?? error.message : String(error);
  }
}

/** Describes a failure, with what is needed to repeat it and to add the input to the corpus. `origin`: of the input. */
export function describeFailure(name: string, origin: string, input: Uint8Array, why: string): string {
  const file = `testkit/fuzz/corpus/${name}/what_it_is.hex`;
  return [
    `decoder ${name}, ${origin}, ${input.length} bytes: ${why}`,
    `input: ${input.toHex()}`,
    `To add it to the corpus, write these digits to ${file}; the unit tests then replay it.`,
  ].join("\n");
}
