/**
 * What istiod makes of PeerAuthentications: proxies get policies that deny connections without an identity, and each
 * workload names those that it has to enforce (`docs/spec/xds-state.md` 5.8, 7.17).
 */
import { EMPTY_MATCH, type Match, type Policy, type PolicyKey, policyKey, type Rule } from "../model/model.ts";
import { selects } from "./metadata.ts";
import type { Labels, PeerAuthentication, TlsMode } from "./objects.ts";

const PREFIX = "converted_peer_authentication_";
const STRICT_NAME = "istio_converted_static_strict";
const WITHOUT_IDENTITY: Match = { ...EMPTY_MATCH, notPrincipals: [{ kind: "Presence" }] };

/** The key of the policy that refuses all connections without an identity. `root`: the root namespace. */
export function strictKey(root: string): PolicyKey {
  return policyKey(`${root}/${STRICT_NAME}`);
}

/** The policy of {@link strictKey}. It is there while there is any PeerAuthentication. */
export function strictPolicy(root: string): Policy {
  return denying(root, STRICT_NAME, [[[WITHOUT_IDENTITY]]]);
}

/** The key of the policy that is made of a PeerAuthentication with modes of ports. */
export function convertedKey({ namespace, name }: { readonly namespace: string; readonly name: string }): PolicyKey {
  return policyKey(`${namespace}/${PREFIX}${name}`);
}

/** Whether a policy is made of a PeerAuthentication. */
export function isOfPeerAuthentication(key: PolicyKey): boolean {
  const name = key.slice(key.indexOf("/") + 1);
  return name === STRICT_NAME || name.startsWith(PREFIX);
}

/** The modes of the mesh and of a namespace; null: there is no PeerAuthentication of that level. */
interface OuterModes {
  readonly mesh: TlsMode | null;
  readonly namespace: TlsMode | null;
}

/** The modes that hold where no workload of `namespace` is selected. Of several of one level the oldest counts. */
export function outerModes(all: readonly PeerAuthentication[], namespace: string, root: string): OuterModes {
  const unselected = all.filter(({ selector }) => selector === null);
  const level = (of: string) => oldest(unselected.filter((each) => each.namespace === of))?.mode ?? null;
  // In the root namespace both levels are the same object.
  return { mesh: level(root), namespace: level(namespace) };
}

/**
 * The policy for a PeerAuthentication with modes of ports; null where there is none, as the strict policy or no policy
 * says the same.
 */
export function convert(of: PeerAuthentication, outer: OuterModes, root: string): Policy | null {
  const { mode, ports } = of;
  if (of.namespace === root || of.selector === null || ports.length === 0) return null;
  const perPort: Rule[] = [];
  const exceptions: Rule[number][] = mode === "STRICT" ? [[WITHOUT_IDENTITY]] : [];
  let hasException = false;
  for (const { port, mode: portMode } of ports) {
    if (portMode === "STRICT" && !isStrictWithoutPort(mode, outer)) {
      perPort.push([[{ ...WITHOUT_IDENTITY, destinationPorts: [port] }]]);
    }
    if (portMode !== "PERMISSIVE" && portMode !== "DISABLE") continue;
    if (isLax(mode) || (mode === "UNSET" && !maybeStrict(outer))) continue;
    hasException = true;
    exceptions.push([{ ...EMPTY_MATCH, notDestinationPorts: [port] }]);
  }
  if (mode === "STRICT" && !hasException) return null;
  if (exceptions.length === 0 && perPort.length === 0) return null;
  if (hasException && isOuterStrict(outer)) exceptions.push([WITHOUT_IDENTITY]);
  return denying(of.namespace, `${PREFIX}${of.name}`, exceptions.length > 0 ? [...perPort, exceptions] : perPort);
}

function denying(namespace: string, name: string, rules: readonly Rule[]): Policy {
  return { name, namespace, scope: "WorkloadSelector", action: "Deny", dryRun: false, rules };
}

function isLax(mode: TlsMode | null): boolean {
  return mode === "PERMISSIVE" || mode === "DISABLE";
}

function isUnset(mode: TlsMode | null): boolean {
  return mode === null || mode === "UNSET";
}

function isOuterStrict({ mesh, namespace }: OuterModes): boolean {
  return namespace === "STRICT" || (mesh === "STRICT" && isUnset(namespace));
}

/**
 * Whether a port with mode STRICT needs no rule. As in istiod, a strict mesh counts also where the workload's own mode is
 * lax.
 */
function isStrictWithoutPort(mode: TlsMode, { mesh, namespace }: OuterModes): boolean {
  return mode === "STRICT" || (mode === "UNSET" && namespace === "STRICT") || (mesh === "STRICT" && isUnset(namespace));
}

/** As istiod compares: a namespace's own PeerAuthentication without a mode does not count as strict. */
function maybeStrict({ mesh, namespace }: OuterModes): boolean {
  return namespace === null ? mesh === "STRICT" : namespace === "STRICT";
}

/** The PeerAuthentications that may decide about a workload. */
export function applicable(
  all: readonly PeerAuthentication[],
  namespace: string,
  labels: Labels,
  root: string,
): readonly PeerAuthentication[] {
  return all.filter((each) =>
    each.selector === null
      ? each.namespace === namespace || each.namespace === root
      : each.namespace === namespace && selects(each.selector, labels)
  );
}

/** The policies that a workload has to enforce because of these, of which each applies to it. */
export function enforced(of: readonly PeerAuthentication[], root: string): readonly PolicyKey[] {
  const isOuter = ({ selector }: PeerAuthentication) => Object.keys(selector ?? {}).length === 0;
  const mesh = oldest(of.filter((each) => isOuter(each) && each.namespace === root));
  const namespace = oldest(of.filter((each) => isOuter(each) && each.namespace !== root));
  const own = oldest(of.filter((each) => !isOuter(each) && each.namespace !== root));
  const outer = namespace === null || namespace.mode === "UNSET" ? mesh?.mode : namespace.mode;
  if (own === null) return outer === "STRICT" ? [strictKey(root)] : [];
  const isStrict = own.mode === "STRICT" || (own.mode === "UNSET" && outer === "STRICT");
  const has = (...modes: readonly TlsMode[]) => own.ports.some(({ mode }) => modes.includes(mode));
  // As in istiod, DISABLE of a port is an exception only where the workload's own mode is STRICT.
  const isException = own.mode === "STRICT" ? has("PERMISSIVE", "DISABLE") : has("PERMISSIVE");
  if (isStrict) return isException ? [convertedKey(own)] : [strictKey(root)];
  return has("STRICT") ? [convertedKey(own)] : [];
}

/** Null: there is none. One whose age is not known counts as the youngest. */
function oldest(of: readonly PeerAuthentication[]): PeerAuthentication | null {
  return [...of].sort((a, b) => compare(a.created ?? "~", b.created ?? "~"))[0] ?? null;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
