/**
 * Rules of an AuthorizationPolicy as clauses (`docs/spec/xds-state.md` 5.8). A proxy without HTTP cannot judge conditions
 * on requests: istiod leaves an ALLOW rule out that has some, and leaves the conditions out of a DENY rule.
 */
import { type Clause, EMPTY_MATCH, type Match, type Rule } from "../model/model.ts";
import type { Field, Fields } from "../static_file/field.ts";
import { checkAttribute, CONNECTION_ATTRIBUTES, readTrustDomain } from "./attributes.ts";
import { readBlock, readPattern, readPort, readServiceAccounts, readText } from "./values.ts";

const RULES_MAX = 512;
const REQUEST_SOURCES = ["requestPrincipals", "notRequestPrincipals", "remoteIpBlocks", "notRemoteIpBlocks"];
const REQUEST_OPERATIONS = ["hosts", "notHosts", "methods", "notMethods", "paths", "notPaths"];
/** Istiod accepts these and does not send them. */
const LOST_SOURCES = ["trustDomains", "notTrustDomains"];
const SOURCES = [
  "principals",
  "notPrincipals",
  "namespaces",
  "notNamespaces",
  "serviceAccounts",
  "notServiceAccounts",
  "ipBlocks",
  "notIpBlocks",
];

/** A rule as read. */
export interface ReadRule {
  readonly rule: Rule;
  /** Its conditions that only proxies with HTTP can judge. */
  readonly onRequests: readonly string[];
  /** Its conditions that istiod does not send. */
  readonly lost: readonly string[];
  /** It has conditions that action CUSTOM does not allow. */
  readonly identityConditions: readonly string[];
}

/** Reads `spec.rules`. `namespace`: the policy's. Throws `ConfigError`. */
export function readRules(field: Field | null, namespace: string): readonly ReadRule[] {
  const list = field?.list() ?? [];
  if (list.length > RULES_MAX) field?.reject(`${field.path} has more than ${RULES_MAX} rules`);
  return list.map((rule) => readRule(rule, namespace));
}

function readRule(field: Field, namespace: string): ReadRule {
  const fields = field.object(["from", "to", "when"]);
  const onRequests: string[] = [], lost: string[] = [], identityConditions: string[] = [];
  const items = (key: string, inner: string) =>
    fields.nullable(key)?.list().map((item) => item.object([inner]).required(inner)) ?? [];
  const to = items("to", "operation").map((operation) => readOperation(operation, onRequests));
  const from = items("from", "source").map((source) =>
    readSource(source, namespace, onRequests, lost, identityConditions)
  );
  const when = fields.nullable("when")?.list().map((item) => readCondition(item, onRequests, identityConditions)) ?? [];
  const clauses: Clause[] = [
    ...(to.length > 0 ? [to] : []),
    ...(from.length > 0 ? [from] : []),
    ...when.map((one) => [one]),
  ];
  return { rule: clauses, onRequests, lost, identityConditions };
}

function readOperation(field: Field, onRequests: string[]): Match {
  const fields = field.object(["ports", "notPorts", ...REQUEST_OPERATIONS]);
  const match = {
    ...EMPTY_MATCH,
    destinationPorts: listOf(fields, "ports", readPort),
    notDestinationPorts: listOf(fields, "notPorts", readPort),
  };
  const more = readTexts(fields, REQUEST_OPERATIONS, readText);
  refuseEmpty(field, match, more);
  onRequests.push(...more);
  return match;
}

function readSource(
  field: Field,
  namespace: string,
  onRequests: string[],
  lost: string[],
  identityConditions: string[],
): Match {
  const fields = field.object([...SOURCES, ...REQUEST_SOURCES, ...LOST_SOURCES]);
  const accounts = (key: string) => readServiceAccounts(fields.nullable(key)?.list() ?? [], namespace);
  const match: Match = {
    ...EMPTY_MATCH,
    principals: listOf(fields, "principals", readPattern),
    notPrincipals: listOf(fields, "notPrincipals", readPattern),
    namespaces: listOf(fields, "namespaces", readPattern),
    notNamespaces: listOf(fields, "notNamespaces", readPattern),
    serviceAccounts: accounts("serviceAccounts"),
    notServiceAccounts: accounts("notServiceAccounts"),
    sourceIps: listOf(fields, "ipBlocks", readBlock),
    notSourceIps: listOf(fields, "notIpBlocks", readBlock),
  };
  const named = [...match.principals, ...match.notPrincipals, ...match.namespaces, ...match.notNamespaces];
  const inAccounts = [...match.serviceAccounts, ...match.notServiceAccounts];
  if (named.length > 0 && inAccounts.length > 0) {
    field.reject(`${field.path} has service accounts beside principals or namespaces, which istiod refuses`);
  }
  const requests = [
    ...readTexts(fields, ["requestPrincipals", "notRequestPrincipals"], readText),
    ...readTexts(fields, ["remoteIpBlocks", "notRemoteIpBlocks"], readBlock),
  ];
  const withoutEffect = readTexts(fields, LOST_SOURCES, readTrustDomain);
  refuseEmpty(field, match, [...requests, ...withoutEffect]);
  onRequests.push(...requests);
  lost.push(...withoutEffect);
  if (named.length + inAccounts.length + withoutEffect.length > 0) identityConditions.push("identities");
  if (requests.some((key) => /principals/i.test(key))) identityConditions.push("request principals");
  return match;
}

function readCondition(field: Field, onRequests: string[], identityConditions: string[]): Match {
  const fields = field.object(["key", "values", "notValues"]);
  const key = readText(fields.required("key"));
  const attribute = CONNECTION_ATTRIBUTES[key];
  const [values, notValues] = [fields.nullable("values")?.list() ?? [], fields.nullable("notValues")?.list() ?? []];
  if (values.length + notValues.length === 0) field.reject(`${field.path} has neither values nor notValues`);
  checkAttribute(key, fields.required("key"), [values, notValues]);
  if (/^source\.(namespace|principal|serviceAccount|trustDomain)$|^request\.auth\./.test(key)) {
    identityConditions.push(key);
  }
  if (attribute !== undefined) return attribute(values, notValues);
  onRequests.push(key);
  return EMPTY_MATCH;
}

/** Checks lists of values that proxies without HTTP do not use. Returns the keys of those that are not empty. */
function readTexts(fields: Fields, keys: readonly string[], read: (field: Field) => unknown): string[] {
  return keys.filter((key) => listOf(fields, key, read).length > 0);
}

function refuseEmpty(field: Field, match: Match, more: readonly string[]): void {
  const isEmpty = more.length === 0 && Object.values(match).every((values) => values.length === 0);
  if (isEmpty) field.reject(`${field.path} is empty`);
}

/** An absent list is empty. */
function listOf<T>(fields: Fields, key: string, read: (item: Field) => T): readonly T[] {
  return fields.nullable(key)?.list().map(read) ?? [];
}
