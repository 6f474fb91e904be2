/** Decodes `istio.security.Authorization` (`docs/spec/xds-state.md` 1.4, 1.8). */
import type { Cidr } from "../mesh/model/cidr.ts";
import {
  EMPTY_MATCH,
  type Match,
  type Policy,
  type ServiceAccountMatch,
  type StringMatch,
} from "../mesh/model/model.ts";
import { cidrOf, type MeshReader, type Mutable, NO_BYTES } from "./mesh_reader.ts";
import { type FieldTable, readFields, readMessage } from "./wire_reader.ts";

type MutablePolicy = Mutable<Omit<Policy, "rules">> & { rules: Match[][][] };
type PartialMatch = { -readonly [Key in keyof Match]?: Match[Key][number][] };

const SCOPES = ["Global", "Namespace", "WorkloadSelector"] as const;
const ACTIONS = ["Allow", "Deny"] as const;

const POLICY: FieldTable<MutablePolicy, MeshReader> = {
  1: (policy, r) => policy.name = r.text(),
  2: (policy, r) => policy.namespace = r.commonText(),
  3: (policy, r) => policy.scope = r.enum(SCOPES),
  4: (policy, r) => policy.action = r.enum(ACTIONS),
  5: (policy, r) => policy.rules.push(readMessage(r, RULE, [])),
  6: (policy, r) => policy.dryRun = r.bool(),
};

const RULE: FieldTable<Match[][], MeshReader> = {
  1: (rule, r) => rule.push(readMessage(r, CLAUSE, [])),
};

/** Field 1 had another meaning in earlier versions. */
const CLAUSE: FieldTable<Match[], MeshReader> = {
  2: (clause, r) => clause.push(readMatch(r)),
};

const MATCH: FieldTable<PartialMatch, MeshReader> = {
  1: (match, r) => addString(match.namespaces ??= [], r),
  2: (match, r) => addString(match.notNamespaces ??= [], r),
  3: (match, r) => addString(match.principals ??= [], r),
  4: (match, r) => addString(match.notPrincipals ??= [], r),
  5: (match, r) => addBlock(match.sourceIps ??= [], r),
  6: (match, r) => addBlock(match.notSourceIps ??= [], r),
  7: (match, r) => addBlock(match.destinationIps ??= [], r),
  8: (match, r) => addBlock(match.notDestinationIps ??= [], r),
  9: (match, r) => addPorts(match.destinationPorts ??= [], r),
  10: (match, r) => addPorts(match.notDestinationPorts ??= [], r),
  11: (match, r) => (match.serviceAccounts ??= []).push(readServiceAccount(r)),
  12: (match, r) => (match.notServiceAccounts ??= []).push(readServiceAccount(r)),
};

const SERVICE_ACCOUNT: FieldTable<Mutable<ServiceAccountMatch>, MeshReader> = {
  1: (account, r) => account.namespace = r.commonText(),
  2: (account, r) => account.serviceAccount = r.commonText(),
};

const STRING_MATCH: FieldTable<{ match: StringMatch | null }, MeshReader> = {
  1: (arm, r) => arm.match = { kind: "Exact", value: r.text() },
  2: (arm, r) => arm.match = { kind: "Prefix", value: r.text() },
  3: (arm, r) => arm.match = { kind: "Suffix", value: r.text() },
  4: (arm, r) => {
    readMessage(r, {}, null);
    arm.match = { kind: "Presence" };
  },
};

const BLOCK: FieldTable<{ address: Uint8Array; length: number }, MeshReader> = {
  1: (block, r) => block.address = r.bytes(),
  2: (block, r) => block.length = r.uint32(),
};

/** A policy, and how many of its values were ignored because they are not valid (`docs/spec/xds-state.md` 8.1 Q10). */
interface DecodedPolicy {
  readonly policy: Policy;
  readonly ignored: number;
}

/** Decodes the message that the reader has opened. Throws `Malformed` or `Unacceptable`. */
export function decodePolicy(reader: MeshReader): DecodedPolicy {
  reader.ignored = 0;
  const policy = readFields<MutablePolicy, MeshReader>(reader, POLICY, {
    name: "",
    namespace: "",
    scope: "Global",
    action: "Allow",
    dryRun: false,
    rules: [],
  });
  return { policy, ignored: reader.ignored };
}

/** An empty match takes two bytes on the wire, so there may be many of them; they share one object. */
function readMatch(reader: MeshReader): Match {
  const match = readMessage<PartialMatch, MeshReader>(reader, MATCH, {});
  for (const _ in match) return { ...EMPTY_MATCH, ...match };
  return EMPTY_MATCH;
}

function addString(list: StringMatch[], reader: MeshReader): void {
  const { match } = readMessage<{ match: StringMatch | null }, MeshReader>(reader, STRING_MATCH, { match: null });
  if (match === null) reader.ignored++;
  else list.push(match);
}

function addBlock(list: Cidr[], reader: MeshReader): void {
  const { address, length } = readMessage(reader, BLOCK, { address: NO_BYTES, length: 0 });
  const cidr = cidrOf(address, length);
  if (cidr === null) reader.ignored++;
  else list.push(cidr);
}

function addPorts(list: number[], reader: MeshReader): void {
  reader.numbers((port) => list.push(port & 0xffff));
}

function readServiceAccount(reader: MeshReader): ServiceAccountMatch {
  return readMessage(reader, SERVICE_ACCOUNT, { namespace: "", serviceAccount: "" });
}
