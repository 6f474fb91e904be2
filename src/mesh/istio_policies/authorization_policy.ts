/** Reads AuthorizationPolicies as istiod does, also in what it refuses (`docs/spec/xds-state.md` 5.8). */
import type { Policy } from "../model/model.ts";
import type { Field, Fields } from "../static_file/field.ts";
import { type Metadata, readSelector } from "./metadata.ts";
import type { AuthorizationPolicy } from "./objects.ts";
import { type ReadRule, readRules } from "./rule.ts";

const DRY_RUN = "istio.io/dry-run";
/** Texts that mean true in annotations. */
const TRUE: ReadonlySet<string> = new Set(["1", "t", "T", "true", "TRUE", "True"]);
const TARGETS: ReadonlySet<string> = new Set([
  "/Service",
  "core/Service",
  "networking.istio.io/ServiceEntry",
  "gateway.networking.k8s.io/Gateway",
  "gateway.networking.k8s.io/GatewayClass",
]);
const TARGETS_MAX = 16;

/** `spec`: null where it is absent. `root`: the root namespace of the mesh. Throws `ConfigError`. */
export function readAuthorizationPolicy(
  spec: Field | null,
  metadata: Metadata,
  root: string,
): AuthorizationPolicy {
  const { namespace, name } = metadata;
  const fields = spec?.object(["selector", "targetRef", "targetRefs", "rules", "action", "provider"]) ?? null;
  const selectorField = fields?.nullable("selector") ?? null;
  const selector = readSelector(selectorField);
  const targets = readTargets(fields);
  if (selectorField !== null && targets > 0) {
    selectorField.reject("a policy has either a selector or targetRefs, this one has both");
  }
  const action = fields?.nullable("action")?.oneOf(["ALLOW", "DENY", "AUDIT", "CUSTOM"]) ?? "ALLOW";
  const rulesField = fields?.nullable("rules") ?? null;
  const rules = readRules(rulesField, namespace);
  if (rules.length === 0 && (action === "DENY" || action === "CUSTOM")) {
    (rulesField ?? spec!).reject(
      `a policy with action ${action} and without rules has no effect; "rules: [{}]" is for all`,
    );
  }
  checkProvider(fields, action, rules);
  const object = { kind: "AuthorizationPolicy", namespace, name, selector } as const;
  const other = targets > 0 ? "it has targetRefs, so it is for waypoints" : `its action is ${action}`;
  if (targets > 0 || action === "AUDIT" || action === "CUSTOM") {
    return { ...object, policy: null, notes: [`not for ztunnel: ${other}`] };
  }
  const dryRun = TRUE.has(metadata.annotations[DRY_RUN] ?? "");
  return {
    ...object,
    policy: {
      name,
      namespace,
      scope: selector !== null ? "WorkloadSelector" : namespace === root ? "Global" : "Namespace",
      action: action === "ALLOW" ? "Allow" : "Deny",
      dryRun,
      rules: rules.filter(({ onRequests }) => action === "DENY" || onRequests.length === 0).map(({ rule }) => rule),
    },
    notes: [
      ...rules.flatMap((rule, i) => notesOf(rule, i, action)),
      ...dryRun ? ["a dry run: it is not enforced"] : [],
    ],
  };
}

/** The number of targets. */
function readTargets(fields: Fields | null): number {
  const one = fields?.nullable("targetRef") ?? null;
  const list = fields?.nullable("targetRefs")?.list() ?? [];
  if (one !== null && list.length > 0) one.reject("a policy has either targetRef or targetRefs, this one has both");
  list[TARGETS_MAX]?.reject(`a policy has at most ${TARGETS_MAX} targets`);
  for (const target of one === null ? list : [one]) {
    const { path } = target;
    const reference = target.object(["group", "kind", "name", "namespace"]);
    if (reference.string("name") === "") target.reject(`${path} has no name`);
    if (reference.string("namespace") !== "") target.reject(`${path} names a namespace, which istiod does not support`);
    const kind = `${reference.string("group")}/${reference.string("kind")}`;
    if (!TARGETS.has(kind)) target.reject(`${path} is a ${kind}; accepted are ${[...TARGETS].join(", ")}`);
  }
  return one === null ? list.length : 1;
}

function checkProvider(fields: Fields | null, action: string, rules: readonly ReadRule[]): void {
  const provider = fields?.nullable("provider") ?? null;
  const name = provider?.object(["name"]).string("name") ?? "";
  if (action !== "CUSTOM") return void provider?.reject(`a provider is for action CUSTOM, this is ${action}`);
  const list = fields!.required("rules");
  if (name === "") (provider ?? list).reject("action CUSTOM needs provider.name");
  const wrong = rules.flatMap(({ identityConditions }) => identityConditions)[0];
  if (wrong !== undefined) list.reject(`action CUSTOM does not support conditions on ${wrong}`);
}

function notesOf({ onRequests, lost }: ReadRule, index: number, action: Policy["action"] | string): string[] {
  const notes: string[] = [];
  const rule = `rule ${index + 1}`;
  if (onRequests.length > 0) {
    const keys = [...new Set(onRequests)].join(", ");
    notes.push(
      action === "ALLOW"
        ? `${rule} is left out, as ztunnel cannot judge requests: it has ${keys}`
        : `${rule} is enforced without ${keys}, as ztunnel cannot judge requests`,
    );
  }
  if (lost.length > 0) {
    notes.push(`${rule} is enforced without ${lost.join(", ")}, which istiod does not send to ztunnel`);
  }
  return notes;
}
