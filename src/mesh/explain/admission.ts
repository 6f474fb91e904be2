/** What would happen at the workload that a connection reaches. */
import { formatAddress, type SocketAddress } from "../../net/address.ts";
import { authorize, type Verdict } from "../policy/authorize.ts";
import type { Admission, ExplainSettings, Party, PolicyFinding } from "./explanation.ts";
import type { PolicyKey, Workload } from "../model/model.ts";
import type { CompiledPolicy } from "../policy/matcher.ts";
import type { Reason } from "../model/reasons.ts";
import { resolveInbound, resolvePassthrough } from "../resolve/inbound.ts";
import type { MeshState } from "../state/state.ts";
import { identityOf, type SpiffeId } from "../model/workload_identity.ts";

export interface Arrival {
  /** Whose proxy it arrives at. */
  readonly workload: Workload;
  readonly from: SocketAddress;
  /** Of the peer; null over plain TCP. */
  readonly identity: SpiffeId | null;
  /** The address it comes to. */
  readonly at: SocketAddress;
  /** Of the CONNECT; null over plain TCP. */
  readonly authority: string | null;
  /** `host=` of the `Forwarded` header. */
  readonly host: string | null;
}

export function partyOf(workload: Workload): Party {
  const { uid, namespace, name, node, protocol } = workload;
  return { uid, namespace, name, node, protocol, identity: identityOf(workload) };
}

export function admissionOf(state: MeshState, settings: ExplainSettings, arrival: Arrival): Admission {
  const { workload } = arrival;
  const notEnforced = whyNotEnforced(arrival);
  const nothing = { decision: null, policy: null, application: null, policies: [] };
  if (notEnforced !== null) {
    return { ...nothing, at: partyOf(workload), notEnforced, because: [], allow: true, message: null };
  }
  const inbound = resolve(state, settings, arrival);
  if (inbound.kind !== "route") {
    const message = inbound.kind === "refusal" ? inbound.message : `unknown destination: ${inbound.name}`;
    const because = inbound.kind === "refusal" ? inbound.because : [];
    return { ...nothing, at: partyOf(workload), notEnforced, because, allow: false, message };
  }
  const call = { destination: workload, source: arrival.from, identity: arrival.identity, target: inbound.destination };
  const verdict = authorize(state, call, "deny", []);
  return {
    at: partyOf(workload),
    notEnforced,
    because: inbound.because,
    allow: verdict.allow,
    message: verdict.message,
    decision: verdict.decision,
    policy: verdict.policy,
    application: formatAddress(inbound.dial),
    policies: findings(state, workload, verdict),
  };
}

function whyNotEnforced({ workload: { protocol, nativeTunnel }, authority }: Arrival): string | null {
  if (nativeTunnel || (protocol === "TCP" && authority !== null)) {
    return "it takes HBONE itself, so what it admits is its own decision";
  }
  return protocol === "TCP" ? "no proxy stands before it, so no policy is enforced there" : null;
}

function resolve(state: MeshState, settings: ExplainSettings, { workload, at, authority, host }: Arrival) {
  const ownPorts = new Set(settings.ownPorts);
  const trace: Reason[] = [];
  if (authority === null) return resolvePassthrough(state, { local: workload, target: at, ownPorts }, trace);
  return resolveInbound(state, {
    method: "CONNECT",
    authority,
    local: workload,
    localIp: at.ip,
    network: settings.network,
    ownPorts,
    localhostAppTunnel: settings.localhostAppTunnel,
    forwardedHost: host,
    asked: null,
  }, trace);
}

/** In the order in which they are asked (`docs/spec/xds-state.md` 5.2). */
function findings(state: MeshState, workload: Workload, verdict: Verdict): PolicyFinding[] {
  const { deny, dryRunDeny, allow, dryRunAllow, unknown } = state.policiesFor(workload);
  const policies = verdict.because.filter(({ rule }) => rule === "authorize.policy");
  const asked = new Map(policies.map((reason) => [reason.subject, reason]));
  const known = ({ key, policy: { action, scope, dryRun } }: CompiledPolicy): PolicyFinding => {
    const reason = asked.get(key);
    const decides = verdict.policy === key && !dryRun;
    if (reason?.holds === undefined) {
      return { key, action, scope, dryRun, result: "not-asked", decides, details: [] };
    }
    const result = reason.holds ? "matches" : "does-not-match";
    return { key, action, scope, dryRun, result, decides, details: reason.details ?? [] };
  };
  const missing = (key: PolicyKey): PolicyFinding => ({
    key,
    action: null,
    scope: null,
    dryRun: false,
    result: "unknown",
    decides: verdict.policy === key,
    details: ["the workload names it, the control plane has not sent it"],
  });
  return [
    ...dryRunDeny.map(known),
    ...deny.map(known),
    ...unknown.map(missing),
    ...dryRunAllow.map(known),
    ...allow.map(known),
  ];
}
