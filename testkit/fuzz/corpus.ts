/**
 * The corpus: `corpus/NAME/` has valid inputs of the decoder NAME, and inputs that once broke it. A file `*.hex` has
 * the bytes as hexadecimal digits; any other file has the bytes themselves.
 */
import type { FuzzedDecoder } from "./decoder.ts";

const ROOT = new URL("corpus/", import.meta.url);

/** One input, with the name of its file. */
interface CorpusInput {
  readonly file: string;
  readonly bytes: Uint8Array;
}

/** Reads the corpus of a decoder, in the order of the names of its files. Throws where the folder does not exist. */
export function corpusOf(name: string): readonly CorpusInput[] {
  const folder = new URL(`${name}/`, ROOT);
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort().map((file) => {
    const bytes = Deno.readFileSync(new URL(file, folder));
    return { file, bytes: file.endsWith(".hex") ? fromHex(new TextDecoder().decode(bytes)) : bytes };
  });
}

/** Returns the names of the folders of the corpus. */
export function corpusNames(): readonly string[] {
  return [...Deno.readDirSync(ROOT)].map(({ name }) => name).sort();
}

/** Bytes. Longer files of the corpus are decoded as they are only, since each change of them takes long as well. */
const LONGEST_SEED = 4096;

/** Returns all inputs from which inputs of a decoder are made. */
export function seedsOf(decoder: FuzzedDecoder): readonly Uint8Array[] {
  const short = corpusOf(decoder.name).map(({ bytes }) => bytes).filter(({ length }) => length <= LONGEST_SEED);
  return [...short, ...decoder.seeds?.() ?? []];
}

function fromHex(text: string): Uint8Array {
  return Uint8Array.fromHex(text.replace(/\s/g, ""));
}
