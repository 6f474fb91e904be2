/** Encodes and decodes PEM (RFC 7468). */

/** One block of a PEM text. */
export interface PemBlock {
  /** `CERTIFICATE`, `PRIVATE KEY`, ... */
  readonly label: string;
  readonly der: Uint8Array;
}

/** Why a text cannot be decoded. `problem` is for the log and quotes nothing of the text, which may contain a key. */
interface PemProblem {
  readonly problem: string;
}

/** The line length in the certificate dump of ztunnel (`docs/spec/config-admin.md` C36). */
export const DUMP_COLUMNS = 60;

const MAX_TEXT = 8 * 1024 * 1024;
/** A text with more blocks is refused (`docs/spec/identity-spire.md` S27). */
const MAX_BLOCKS = 10_000;
const BEGIN = "-----BEGIN ";
const DASHES = "-----";

/** Returns one block with LF after each line. `columns`: the length of a line. */
export function encodePem(label: string, der: Uint8Array, columns = 64): string {
  const base64 = der.toBase64();
  let lines = "";
  for (let at = 0; at < base64.length; at += columns) lines += base64.slice(at, at + columns) + "\n";
  return `${BEGIN}${label}${DASHES}\n${lines}-----END ${label}${DASHES}\n`;
}

/**
 * Returns all blocks in order; an empty list where the text has no `-----BEGIN `. Text around blocks is ignored. One
 * malformed block makes the whole text a problem. Takes time linear in the length of the text. Never throws.
 */
export function decodePem(text: string): readonly PemBlock[] | PemProblem {
  if (text.length > MAX_TEXT) return { problem: `PEM text of ${text.length} characters is too long` };
  const blocks: PemBlock[] = [];
  for (let at = text.indexOf(BEGIN); at >= 0; at = text.indexOf(BEGIN, at)) {
    if (blocks.length === MAX_BLOCKS) return { problem: `PEM text has more than ${MAX_BLOCKS} blocks` };
    const labelEnd = text.indexOf(DASHES, at + BEGIN.length);
    const label = text.slice(at + BEGIN.length, labelEnd);
    if (labelEnd < 0 || !/^[A-Z0-9][A-Z0-9 ]{0,62}$/.test(label)) return { problem: "PEM block has no proper label" };
    const end = `-----END ${label}${DASHES}`;
    const bodyEnd = text.indexOf(DASHES, labelEnd + DASHES.length);
    if (bodyEnd < 0 || !text.startsWith(end, bodyEnd)) return { problem: `PEM block ${label} has no proper end` };
    const der = decodeBase64(text.slice(labelEnd + DASHES.length, bodyEnd));
    if (der === null) return { problem: `PEM block ${label} is not base64` };
    blocks.push({ label, der });
    at = bodyEnd + end.length;
  }
  return blocks;
}

/** True for a text that could not be decoded. */
export function isPemProblem(result: readonly PemBlock[] | PemProblem): result is PemProblem {
  return "problem" in result;
}

/** White space is allowed anywhere, padding is required. */
function decodeBase64(text: string): Uint8Array | null {
  try {
    return Uint8Array.fromBase64(text, { lastChunkHandling: "strict" });
  } catch {
    return null;
  }
}
