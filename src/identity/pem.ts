/** PEM (RFC 7468): text around base64 around DER. */

export interface PemBlock {
  /** `CERTIFICATE`, `PRIVATE KEY` */
  readonly label: string;
  readonly der: Uint8Array;
}

/** Text that is no PEM. `problem` is for the log and quotes nothing of the text: it may hold a key. */
export interface PemProblem {
  readonly problem: string;
}

/** What the certificate dump of ztunnel uses (`docs/spec/config-admin.md` C36); files use 64. */
export const DUMP_COLUMNS = 60;

const MAX_TEXT = 8 * 1024 * 1024;
/** `docs/spec/identity-spire.md` S27: more roots than this are refused. */
const MAX_BLOCKS = 10_000;
const BEGIN = "-----BEGIN ";
const DASHES = "-----";

/** One block; LF after each line and at the end. */
export function encodePem(label: string, der: Uint8Array, columns = 64): string {
  const base64 = der.toBase64();
  let lines = "";
  for (let at = 0; at < base64.length; at += columns) lines += base64.slice(at, at + columns) + "\n";
  return `${BEGIN}${label}${DASHES}\n${lines}-----END ${label}${DASHES}\n`;
}

/**
 * All blocks in order; none where the text holds no `-----BEGIN `. Text around blocks is ignored. One broken block
 * makes the whole text a problem. Linear in the length of the text.
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
