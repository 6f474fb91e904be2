/**
 * What all calls of the pod's applications have in common, as CONNECT streams of peers and as plain connections:
 * policies, and the dial of the application within a budget.
 */
import type { Call, Verdict } from "../mesh/policy/authorize.ts";
import type { InboundRoute } from "../mesh/resolve/inbound.ts";
import { formatAddress, type SocketAddress } from "../net/address.ts";
import type { Duplex, Ending } from "../net/duplex.ts";
import type { DialEvents } from "../net/network.ts";
import { dialCause } from "../hbone/failure.ts";
import type { EndingCause } from "../telemetry/connection_ending.ts";
import type { ConnectionFailure } from "../telemetry/connection_telemetry.ts";
import type { PendingDial } from "./pending_dials.ts";
import { PodConnection } from "./pod_connection.ts";

/** A call of an application of the pod. */
export abstract class InboundCall extends PodConnection implements PendingDial, DialEvents {
  #dryRuns: Verdict["dryRuns"] = [];

  protected override get direction(): "inbound" {
    return "inbound";
  }

  override get dryRuns(): Verdict["dryRuns"] {
    return this.#dryRuns;
  }

  onConnect(application: Duplex): void {
    this.context.connections.pendingDials.delete(this);
    if (this.logsDebug) this.log.debug(`connected to: ${formatAddress(application.remote)}`);
    this.enter("open", null);
    this.connected(application);
  }

  onDialFailure(ending: Ending): void {
    this.#notConnected(ending.message, dialCause(ending, "server"));
  }

  evict(why: string): void {
    this.#notConnected(why, { by: "us", how: "limit" });
  }

  /** The application has accepted. Sets the copy and starts it. */
  protected abstract connected(application: Duplex): void;

  /** Ends the call with an error. `status`: the answer to callers that use HTTP. */
  protected abstract fail(status: "401" | "503", failure: ConnectionFailure, cause: EndingCause): void;

  /** Evaluates policies. Changes of policies apply to the call from now on, so that none is missed in between. */
  protected authorize(call: Call): Verdict {
    this.enter("authorizing", null);
    this.call = call;
    const verdict = this.context.admission.judge(call, this);
    this.decision = verdict.id;
    this.#dryRuns = verdict.dryRuns;
    return verdict;
  }

  protected deny({ message, id: decision }: Verdict): void {
    this.fail("401", { flag: "DENY", message: message! }, { by: "us", how: "policy", decision });
  }

  /** `caller`: the address to dial from where applications are to see that of their caller. */
  protected dial(route: InboundRoute, caller: SocketAddress): void {
    const { settings, loop, connections } = this.context;
    const source = route.overLoopback ? route.dial.ip : settings.originalSource ? caller.ip : null;
    const dial = settings.applicationDial;
    const options = source === null ? dial : { ...dial, source: { ip: source, port: 0 } };
    this.enter("connecting", loop.network.dial(route.dial, options, this));
    // May end this call or others.
    connections.pendingDials.add(this, settings.maxPendingDials);
  }

  protected override release(): void {
    this.context.connections.pendingDials.delete(this);
  }

  #notConnected(reason: string, cause: EndingCause): void {
    this.fail("503", { flag: "CONNECT", message: `connection failed: ${reason}` }, cause);
  }
}
