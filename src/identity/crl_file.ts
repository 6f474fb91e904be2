/** Parses the file at `CRL_PATH` (`docs/spec/identity-spire.md` 6.6): PEM with any number of lists, or one in DER. */
import { isMalformedList, type MalformedList, parseRevocationList, type RevocationList } from "./crl.ts";
import { decodePem, isPemProblem } from "./pem.ts";

const BEGIN = "-----BEGIN";
const LABEL = "X509 CRL";

/** Returns all lists, or the problem of the first that cannot be used: then no list of the file is used. Never throws. */
export function parseCrlFile(bytes: Uint8Array): readonly RevocationList[] | MalformedList {
  if (bytes.length === 0) return [];
  const ders = isPem(bytes) ? fromPem(bytes) : [bytes];
  if (!Array.isArray(ders)) return ders;
  const lists: RevocationList[] = [];
  for (const [index, der] of ders.entries()) {
    const list = parseRevocationList(der);
    if (isMalformedList(list)) {
      return { problem: `CRL error: failed to parse crl ${index + 1}: ${list.problem}` };
    }
    lists.push(list);
  }
  return lists;
}

/** True for a file of which no list can be used. */
export function isMalformedFile(result: readonly RevocationList[] | MalformedList): result is MalformedList {
  return "problem" in result;
}

function isPem(bytes: Uint8Array): boolean {
  return new TextDecoder("latin1").decode(bytes.subarray(0, BEGIN.length)) === BEGIN;
}

function fromPem(bytes: Uint8Array): Uint8Array[] | MalformedList {
  const blocks = decodePem(new TextDecoder("latin1").decode(bytes));
  if (isPemProblem(blocks)) return { problem: `failed to parse CRL: failed to parse PEM: ${blocks.problem}` };
  return blocks.filter(({ label }) => label === LABEL).map(({ der }) => der);
}
