/** What happens at the workload that a connection reaches: where its bytes go, and what its policies decide. */
import { formatAddress, type SocketAddress } from "../../net/address.ts";
import { authorize, type Call, type Verdict } from "../policy/authorize.ts";
import type { Admission, ExplainSettings, PolicyFinding, WorkloadSummary } from "./explanation.ts";
import type { PolicyKey, Workload } from "../model/model.ts";
import type { CompiledPolicy } from "../policy/matcher.ts";
import type { Reason } from "../model/reasons.ts";
import { type InboundRoute, resolveInbound, resolvePassthrough } from "../resolve/inbound.ts";
import type { MeshState } from "../state/state.ts";
import { identityOf, type SpiffeId } from "../model/workload_identity.ts";

/** A connection as it reaches a workload. */
interface IncomingConnection {
  /** The workload that is connected to. */
  readonly workload: Workload;
  readonly from: SocketAddress;
  /** Identity of the peer; null over plain TCP. */
  readonly identity: SpiffeId | null;
  /** The address that is connected to. */
  readonly at: SocketAddress;
  /** Authority of the CONNECT request; null over plain TCP. */
  readonly authority: string | null;
  /** `host=` of the `Forwarded` header. */
  readonly host: string | null;
}

/** The description of a workload in an explanation. */
export function workloadSummary(workload: Workload): WorkloadSummary {
  const { uid, namespace, name, node, protocol } = workload;
  return { uid, namespace, name, node, protocol, identity: identityOf(workload) };
}

/** What the workload's side decides, by the code that decides about real connections. */
export function admissionOf(state: MeshState, settings: ExplainSettings, connection: IncomingConnection): Admission {
  const { workload } = connection;
  const notEnforced = whyNotEnforced(connection);
  const nothing = { decision: null, decisionId: null, policy: null, application: null, policies: [] };
  if (notEnforced !== null) {
    return { ...nothing, at: workloadSummary(workload), notEnforced, because: [], allow: true, message: null };
  }
  const found = callOf(state, settings, connection);
  if (found.kind === "refusal") {
    const { because, message } = found;
    return { ...nothing, at: workloadSummary(workload), notEnforced, because, allow: false, message };
  }
  const { inbound, call } = found;
  const verdict = authorize(state, call, "deny", []);
  return {
    at: workloadSummary(workload),
    notEnforced,
    because: inbound.because,
    allow: verdict.allow,
    message: verdict.message,
    decision: verdict.decision,
    decisionId: verdict.id,
    policy: verdict.policy,
    application: formatAddress(inbound.dial),
    policies: findings(state, workload, verdict),
  };
}

/** What policies decide about, or why the connection does not come so far. */
export function callOf(
  state: MeshState,
  settings: ExplainSettings,
  connection: IncomingConnection,
):
  | { readonly kind: "call"; readonly call: Call; readonly inbound: InboundRoute }
  | { readonly kind: "refusal"; readonly message: string; readonly because: readonly Reason[] } {
  const inbound = resolve(state, settings, connection);
  switch (inbound.kind) {
    case "refusal":
      return inbound;
    case "route": {
      const { workload: destination, from: source, identity } = connection;
      return { kind: "call", call: { destination, source, identity, target: inbound.destination }, inbound };
    }
    default:
      return { kind: "refusal", message: `unknown destination: ${inbound.name}`, because: [] };
  }
}

function whyNotEnforced({ workload: { protocol, nativeTunnel }, authority }: IncomingConnection): string | null {
  if (nativeTunnel || (protocol === "TCP" && authority !== null)) {
    return "it accepts HBONE itself, so it decides by its own policies";
  }
  return protocol === "TCP" ? "it has no proxy, so no policy is enforced there" : null;
}

function resolve(state: MeshState, settings: ExplainSettings, { workload, at, authority, host }: IncomingConnection) {
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

/** Every policy with its outcome, in the order of evaluation (`docs/spec/xds-state.md` 5.2). */
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
