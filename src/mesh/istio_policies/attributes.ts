/** The keys of `when`: those that proxies without HTTP can judge, and the checks of the others. */
import { EMPTY_MATCH, type Match } from "../model/model.ts";
import type { Field } from "../static_file/field.ts";
import { readBlock, readPattern, readPort, readServiceAccounts, readText } from "./values.ts";

type ReadCondition = (values: readonly Field[], notValues: readonly Field[]) => Match;

function condition<F extends keyof Match>(field: F, not: F, read: (value: Field) => Match[F][number]): ReadCondition {
  return (values, notValues) => ({ ...EMPTY_MATCH, [field]: values.map(read), [not]: notValues.map(read) });
}

/** What istiod sends to ztunnel, by key. */
export const CONNECTION_ATTRIBUTES: Readonly<Record<string, ReadCondition | undefined>> = {
  __proto__: null as never,
  "source.ip": condition("sourceIps", "notSourceIps", readBlock),
  "source.namespace": condition("namespaces", "notNamespaces", readPattern),
  "source.principal": condition("principals", "notPrincipals", readPattern),
  "destination.ip": condition("destinationIps", "notDestinationIps", readBlock),
  "destination.port": condition("destinationPorts", "notDestinationPorts", readPort),
};

const TEXTS = ["request.auth.principal", "request.auth.audiences", "request.auth.presenter", "connection.sni"];
/** These are followed by a name in brackets. */
const WITH_NAME = ["request.headers", "request.auth.claims", "experimental.envoy.filters."];
const REPLACED = /^destination\.(namespace$|labels|name$|user$)/;

/** Throws `ConfigError` for a key that istiod does not know, and for values that do not fit it. `where`: the key. */
export function checkAttribute(key: string, where: Field, lists: readonly (readonly Field[])[]): void {
  const all = lists.flat();
  if (CONNECTION_ATTRIBUTES[key] !== undefined) return;
  if (key === "remote.ip") return all.forEach(readBlock);
  if (key === "source.serviceAccount") return lists.forEach((list) => readServiceAccounts(list, ""));
  if (key === "source.trustDomain") return all.forEach(readPatternAtEnds);
  if (TEXTS.includes(key)) return all.forEach(readText);
  if (WITH_NAME.some((prefix) => key.startsWith(prefix))) {
    if (!/^[^[]+\[.+\]$/s.test(key)) where.fail("of the form a[b]");
    return all.forEach(readText);
  }
  if (REPLACED.test(key)) {
    where.reject(`${where.path}: ${key} is no key any more, use the policy's namespace or selector`);
  }
  where.reject(`${where.path}: ${key} is no key that istiod knows`);
}

/** A `*` at one end, or none. */
function readPatternAtEnds(field: Field): string {
  const text = readText(field);
  const inside = text.replace(/^\*|\*$/, "");
  return inside.includes("*") ? field.fail("a text with at most one *, at its begin or end") : text;
}

/** As {@link readPatternAtEnds}, without `/`. */
export function readTrustDomain(field: Field): string {
  const text = readPatternAtEnds(field);
  return text.includes("/") ? field.fail("a trust domain, which has no /") : text;
}
