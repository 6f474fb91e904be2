/** One plain connection captured on its way into the pod, port 15006 (`docs/spec/dataplane.md` 1.8). */
import type { Call } from "../mesh/policy/authorize.ts";
import type { Workload } from "../mesh/model/model.ts";
import { type InboundRoute, resolvePassthrough } from "../mesh/resolve/inbound.ts";
import type { SocketAddress } from "../net/address.ts";
import type { Duplex, DuplexSink, Ending } from "../net/duplex.ts";
import type { Millis } from "../net/network.ts";
import type { ConnectionFailure, ConnectionRecord } from "../telemetry/connection_telemetry.ts";
import type { InboundConnection } from "./connections.ts";
import { CLIENT_RESET, type CopyMeter, type CopyOutcome, socketFailure } from "./copy.ts";
import type { PendingDial } from "./pending_dials.ts";
import type { PodContext } from "./pod_context.ts";
import { Relay } from "./relay.ts";

export class PassthroughConnection implements InboundConnection, DuplexSink, CopyMeter, PendingDial {
  readonly #context: PodContext;
  readonly #client: Duplex;
  readonly #target: SocketAddress;
  readonly #startedAt: Millis;
  registration = 0;
  #record: ConnectionRecord | null = null;
  #relay: Relay | null = null;
  #abort: () => void = () => {};
  #dialing = false;
  #done = false;
  call!: Call;

  constructor(context: PodContext, client: Duplex, target: SocketAddress) {
    this.#context = context;
    this.#client = client;
    this.#target = target;
    this.#startedAt = context.loop.network.now();
    context.connections.addSocket(this);
  }

  start(): void {
    this.#client.start(this);
    const { local } = this.#context;
    const known = local.current;
    if (known !== null) return this.#route(known);
    this.#abort = local.wait((workload) => {
      if (workload === null) this.#refuse(local.unknownMessage);
      else this.#route(workload);
    });
  }

  cut(message: string | null): void {
    if (this.#done) return;
    this.#relay?.cut();
    if (message !== null) return this.#finish({ flag: "DENY", message });
    this.#client.close(true);
    this.#end();
    this.#record?.cancel(this.#context.loop.network.now());
    this.#context.connections.remove(this);
  }

  /** Nothing is read yet, but a client that is gone need not be dialled for (`docs/spec/observed.md` O27). */
  onReadable(): void {
    if (this.#client.broken) this.onFailure(CLIENT_RESET);
  }

  onWritable(): void {}

  /** The client went away before there was a way. */
  onFailure(ending: Ending): void {
    if (this.#record === null) this.#refuse(`io error: ${ending.message}`);
    else this.#copied(socketFailure(ending, true));
  }

  up(bytes: number): void {
    this.#record!.addReceived(bytes);
  }

  down(bytes: number): void {
    this.#record!.addSent(bytes);
  }

  #route(local: Workload): void {
    const { state, settings } = this.#context;
    const outcome = resolvePassthrough(state, { local, target: this.#target, ownPorts: settings.ownPorts });
    if (outcome.kind === "refusal") this.#refuse(outcome.message);
    else this.#admit(outcome, local);
  }

  #admit(route: InboundRoute, local: Workload): void {
    const { state, settings, telemetry, connections, admission, log } = this.#context;
    this.call = { destination: local, source: this.#client.remote, identity: null, target: this.#target };
    this.#record = telemetry.open({
      reporter: "destination",
      source: state.workloadByAddress(settings.network, this.#client.remote.ip),
      derivedSource: null,
      destination: local,
      derivedDestination: null,
      service: route.service,
      mutualTls: false,
      sourceAddress: this.#client.remote,
      destinationAddress: this.#target,
      hboneTarget: null,
    }, this.#startedAt);
    connections.addInbound(this);
    const verdict = admission.judge(this.call, log);
    if (!verdict.allow) this.#finish({ flag: "DENY", message: verdict.message! });
    else this.#dial(route);
  }

  #dial(route: InboundRoute): void {
    const { settings, loop, connections } = this.#context;
    const source = { ip: this.#client.remote.ip, port: 0 };
    const dial = loop.network.dial(route.dial, settings.originalSource ? { ...settings.dial, source } : settings.dial, {
      onConnect: (application) => {
        this.#dialEnded();
        this.#abort = () => {};
        this.#relay = new Relay(
          loop,
          this.#client,
          application,
          this,
          (outcome) => this.#copied(outcome),
        );
        this.#relay.start();
      },
      onDialFailure: (ending) => this.#finish({ flag: "CONNECT", message: `connection failed: ${ending.message}` }),
    });
    this.#abort = () => dial.abort();
    this.#dialing = true;
    // May end this connection or others.
    connections.pendingDials.add(this, settings.maxPendingDials);
  }

  giveWay(why: string): void {
    this.#finish({ flag: "CONNECT", message: `connection failed: ${why}` });
  }

  #copied(outcome: CopyOutcome): void {
    this.#finish(outcome === null ? null : { flag: "CONNECT", message: outcome });
  }

  #refuse(message: string): void {
    if (this.#done) return;
    this.#end();
    this.#context.telemetry.refuse("inbound", this.#client.remote, this.#target, message);
    this.#context.connections.remove(this);
  }

  #finish(failure: ConnectionFailure | null): void {
    if (this.#done) return;
    this.#end();
    this.#record?.finish(this.#context.loop.network.now(), failure);
    this.#context.connections.remove(this);
  }

  /** Who calls it tells the log, then the connections: the last one to go may take the log with it. */
  #end(): void {
    this.#done = true;
    this.#abort();
    this.#dialEnded();
    this.#client.close();
  }

  #dialEnded(): void {
    if (!this.#dialing) return;
    this.#dialing = false;
    this.#context.connections.pendingDials.delete(this);
  }
}
