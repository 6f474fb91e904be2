/** A decoder of input from outside, as the random tests run it. */
export interface FuzzedDecoder {
  /** The name of its folder in `corpus/`, and of `--decoder`. */
  readonly name: string;
  /** Valid inputs from other files, in addition to the corpus. */
  readonly seeds?: () => readonly Uint8Array[];
  /** Bytes of the longest input, where {@link LONGEST} would take too long. */
  readonly longest?: number;
  /** ms for one input, where {@link MAX_MILLIS} are not enough. */
  readonly maxMillis?: number;
  /**
   * Decodes one input. It catches the errors that the decoder declares, and throws where the decoder throws something
   * else, exceeds one of its bounds, or returns a value that breaks one of its promises. It does not keep `input`.
   */
  readonly run: (input: Uint8Array) => void;
}

/** ms for one input of at most 70 KB. Inputs of the usual length take less than one. */
export const MAX_MILLIS = 100;

/** Bytes. Few inputs are longer than some thousand bytes; these repeat a part of themselves up to this length. */
export const LONGEST = 70_000;

/** Throws where a property of a decoder does not hold. */
export function holds(condition: boolean, property: string): void {
  if (!condition) throw new Error(`does not hold: ${property}`);
}

/** Decodes UTF-8; invalid bytes become U+FFFD. */
export function utf8(input: Uint8Array): string {
  return UTF8.decode(input);
}

/** Decodes each byte to the character of the same number, as header values are decoded. */
export function latin1(input: Uint8Array): string {
  return LATIN1.decode(input);
}

const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });
const LATIN1 = new TextDecoder("latin1");
