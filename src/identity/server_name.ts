/** Checks that a server's certificate is for the requested name (RFC 9525, RFC 5280 §4.2.1.10). */
import { ipToBytes, ipv4FromBytes, ipv6FromBytes, parseIp } from "../net/address.ts";
import { type Certificate, equalBytes } from "./certificate.ts";
import { type NameConstraints, permitsAddress, permitsDnsName } from "./name_constraints.ts";
import { checkIssuers, type CodedRefusal, refuse } from "./peer_chain.ts";

/**
 * Returns null where the certificate has one of the names and its issuers may issue for all names in it. `path`:
 * verified, leaf first, anchor last. `names`: host names or addresses; common names are ignored.
 */
export function checkServerName(path: readonly Certificate[], names: readonly string[]): CodedRefusal | null {
  const [leaf, ...issuers] = path as [Certificate, ...Certificate[]];
  if (!names.some((name) => isFor(leaf, name))) {
    return refuse("NAME_MISMATCH", `server certificate is for ${namesOf(leaf)}, not for ${names.join(" or ")}`);
  }
  const permits = (constraints: NameConstraints) =>
    leaf.dnsNames.every((name) => permitsDnsName(constraints, name)) &&
    leaf.ipAddresses.every((address) => permitsAddress(constraints, address));
  return checkIssuers(issuers, "server", permits, namesOf(leaf));
}

function isFor(leaf: Certificate, name: string): boolean {
  const ip = parseIp(name);
  if (ip === null) return leaf.dnsNames.some((pattern) => matchesDnsName(pattern, name));
  const address = ipToBytes(ip);
  return leaf.ipAddresses.some((candidate) => equalBytes(candidate, address));
}

/** A wildcard must be the whole first label, matches one label, and must be followed by at least two labels. */
function matchesDnsName(pattern: string, name: string): boolean {
  const host = name.toLowerCase().replace(/\.$/, "");
  const given = pattern.toLowerCase();
  if (!given.startsWith("*.")) return given === host;
  const suffix = given.slice(1);
  const label = host.slice(0, -suffix.length);
  return suffix.indexOf(".", 1) > 0 && host.endsWith(suffix) && label !== "" && !label.includes(".");
}

const NAMES_SHOWN = 8;
const NAME_SHOWN = 128;

/** Bounded and escaped, as the names come from an unverified peer. */
function namesOf(leaf: Certificate): string {
  const addresses = leaf.ipAddresses.map((bytes) => bytes.length === 4 ? ipv4FromBytes(bytes) : ipv6FromBytes(bytes));
  const names = [...leaf.dnsNames, ...addresses];
  if (names.length === 0) return "no name";
  const shown = names.slice(0, NAMES_SHOWN).map((name) => JSON.stringify(name.slice(0, NAME_SHOWN)));
  return names.length > NAMES_SHOWN ? `${shown.join(", ")}, ...` : shown.join(", ");
}
