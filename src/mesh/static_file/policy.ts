/** Policies of the static file. */
import type { PolicyChange } from "../model/changes.ts";
import { parseCidr } from "../model/cidr.ts";
import { keyOfPolicy, type Match, type Policy, type ServiceAccountMatch, type StringMatch } from "../model/model.ts";
import type { Field, Fields } from "./field.ts";
import { MAX_U16 } from "./values.ts";

const KEYS = ["name", "namespace", "scope", "action", "dryRun", "rules"];
const MATCH_KEYS = [
  "namespaces",
  "notNamespaces",
  "principals",
  "notPrincipals",
  "serviceAccounts",
  "notServiceAccounts",
  "sourceIps",
  "notSourceIps",
  "destinationIps",
  "notDestinationIps",
  "destinationPorts",
  "notDestinationPorts",
];

/** Reads an item of `policies`. */
export function readPolicy(field: Field): PolicyChange {
  const fields = field.object(KEYS);
  const policy: Policy = {
    name: fields.required("name").string(),
    namespace: fields.required("namespace").string(),
    scope: fields.required("scope").oneOf(["Global", "Namespace", "WorkloadSelector"]),
    action: fields.required("action").oneOf(["Allow", "Deny"]),
    dryRun: fields.required("dryRun").boolean(),
    rules: fields.required("rules").list().map((rule) =>
      rule.list().map((clause) => clause.list().map((match) => readMatch(match.object(MATCH_KEYS, false))))
    ),
  };
  return { kind: "policy", key: keyOfPolicy(policy), policy };
}

function readMatch(fields: Fields): Match {
  const strings = (key: string) => fields.list(key, readStringMatch);
  const accounts = (key: string) => fields.list(key, readServiceAccount);
  const blocks = (key: string) =>
    fields.list(key, (value) => value.parsed("a CIDR block, such as 10.0.0.0/24", parseCidr));
  const ports = (key: string) => fields.list(key, (port) => port.integer(MAX_U16));
  return {
    namespaces: strings("namespaces"),
    notNamespaces: strings("notNamespaces"),
    principals: strings("principals"),
    notPrincipals: strings("notPrincipals"),
    serviceAccounts: accounts("serviceAccounts"),
    notServiceAccounts: accounts("notServiceAccounts"),
    sourceIps: blocks("sourceIps"),
    notSourceIps: blocks("notSourceIps"),
    destinationIps: blocks("destinationIps"),
    notDestinationIps: blocks("notDestinationIps"),
    destinationPorts: ports("destinationPorts"),
    notDestinationPorts: ports("notDestinationPorts"),
  };
}

/** `!Exact x`, or `{Exact: x}` as the config dump shows it. */
function readStringMatch(field: Field): StringMatch {
  const accepted = "tagged !Exact, !Prefix, !Suffix or !Presence";
  if (field.tag !== null) return stringMatch(field.tag.slice(1), field, () => field.taggedString(), accepted);
  const [entry, ...more] = field.isMap ? field.entries() : [];
  if (entry === undefined || more.length > 0) return field.fail(accepted);
  const [kind, value] = entry;
  return stringMatch(kind, field, () => value.string(), accepted);
}

function stringMatch(kind: string, field: Field, value: () => string, accepted: string): StringMatch {
  switch (kind) {
    case "Exact":
    case "Prefix":
    case "Suffix":
      return { kind, value: value() };
    case "Presence":
      return { kind };
    default:
      return field.fail(accepted);
  }
}

function readServiceAccount(field: Field): ServiceAccountMatch {
  const fields = field.object(["namespace", "serviceAccount"], false);
  return {
    namespace: fields.required("namespace").string(),
    serviceAccount: fields.required("serviceAccount").string(),
  };
}
