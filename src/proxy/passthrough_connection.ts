/** One plain connection captured on its way into the pod, port 15006 (`docs/spec/dataplane.md` 1.8). */
import type { Workload } from "../mesh/model/model.ts";
import { type InboundRoute, resolvePassthrough } from "../mesh/resolve/inbound.ts";
import type { SocketAddress } from "../net/address.ts";
import type { Duplex, DuplexSink, Ending } from "../net/duplex.ts";
import { PrefixedDuplex } from "../net/prefixed_duplex.ts";
import { streamEndHow } from "../hbone/failure.ts";
import type { EndingCause } from "../telemetry/connection_ending.ts";
import type { ConnectionFailure } from "../telemetry/connection_telemetry.ts";
import { bytesBeforeReset, CLIENT_RESET } from "./client_reset.ts";
import { socketFailure } from "./copy.ts";
import { InboundCall } from "./inbound_call.ts";
import { refusalCause } from "./own_decisions.ts";
import type { PodContext } from "./pod_context.ts";
import { Relay } from "./relay.ts";

/** A plain connection from anywhere to an application of the pod. */
export class PassthroughConnection extends InboundCall implements DuplexSink {
  #client: Duplex;
  protected readonly destination: SocketAddress;

  /** `target`: the address that the client connected to. */
  constructor(context: PodContext, client: Duplex, target: SocketAddress) {
    super(context);
    this.#client = client;
    this.destination = target;
  }

  override start(): void {
    if (this.logsDebug) this.log.debug("connection started", { component: this.context.component });
    this.#client.start(this);
    super.start();
  }

  /**
   * Nothing is read before there is a connection to the application. Only the bytes of a client that has reset are read at once: without any,
   * nothing has to be dialled for (O27); else they are delivered, and then the reset.
   */
  onReadable(): void {
    if (!this.#client.broken) return;
    const sent = bytesBeforeReset(this.#client);
    if (sent === null) this.onFailure(CLIENT_RESET);
    else this.#client = new PrefixedDuplex(sent, this.#client);
  }

  onWritable(): void {}

  /** The client's socket failed before the application was connected. */
  onFailure(ending: Ending): void {
    const cause = { by: "client", how: streamEndHow(ending) } as const;
    if (this.record === null) this.refuse(`io error: ${ending.message}`, cause);
    else this.onCopied(socketFailure(ending, true), cause);
  }

  protected get source(): SocketAddress {
    return this.#client.remote;
  }

  protected resolve(local: Workload): void {
    const { state, settings } = this.context;
    const outcome = resolvePassthrough(state, { local, target: this.destination, ownPorts: settings.ownPorts });
    if (outcome.kind === "refusal") this.refuse(outcome.message, refusalCause(outcome.code));
    else this.#admit(outcome, local);
  }

  #admit(route: InboundRoute, local: Workload): void {
    const { state, settings } = this.context;
    this.openRecord({
      reporter: "destination",
      source: state.workloadByAddress(settings.network, this.source.ip),
      derivedSource: null,
      destination: local,
      derivedDestination: null,
      service: route.service,
      mutualTls: false,
      sourceAddress: this.source,
      destinationAddress: this.destination,
      hboneTarget: null,
    }, this.startedAt);
    const verdict = this.authorize({
      destination: local,
      source: this.source,
      identity: null,
      target: this.destination,
    });
    if (verdict.allow) this.dial(route, this.source);
    else this.deny(verdict);
  }

  protected connected(application: Duplex): void {
    const relay = new Relay(this.context.loop, this.#client, application, this.record!, this);
    this.copyThrough(relay);
    relay.start();
  }

  protected fail(_status: string, failure: ConnectionFailure, cause: EndingCause): void {
    this.finish(failure, cause);
  }

  protected reset(): void {
    this.copy?.cut();
    this.#client.close(true);
  }

  /** A client whose connection was never open gets RST: a FIN would look like an empty answer. */
  protected override release(): void {
    super.release();
    this.#client.close(this.copy === null);
  }
}
