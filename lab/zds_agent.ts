/**
 * A scripted node agent (`docs/spec/inpod-dns.md` A1.12): listens on the agent's socket, sends messages about pods, valid
 * or not, and waits for the acknowledgements.
 */
import { strict as assert } from "node:assert";
import { istio } from "../proto/gen/zds.js";
import { listenPackets, type PacketSocket } from "../src/net/packet_socket.ts";
import { Reactor } from "../src/net/reactor.ts";
import type { UnixListener } from "../src/net/unix.ts";
import { openNamespace } from "../src/os/namespace.ts";
import { OwnedDescriptor } from "../src/os/owned_descriptor.ts";
import { inTime } from "./eventually.ts";

const { WorkloadRequest, WorkloadResponse, ZdsHello } = istio.workload.zds;

/** A pod of the agent. */
export interface AgentPod {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  /** The file of its network namespace (`/run/netns/NAME`). */
  readonly path: string;
}

/** An agent that the test controls. */
export class ZdsAgent implements AsyncDisposable {
  readonly path: string;
  readonly #reactor: Reactor;
  readonly #running: Promise<void>;
  #listener: UnixListener | null = null;
  readonly #sessions: ZdsSession[] = [];
  #onSession: (() => void) | null = null;
  #taken = 0;

  constructor(path: string) {
    this.path = path;
    this.#reactor = new Reactor({
      onShed() {},
      onError(error) {
        throw error;
      },
    });
    this.#running = this.#reactor.run("shared");
    this.listen();
  }

  /** Listens again after {@link vanish}. */
  listen(): void {
    remove(this.path);
    this.#listener = listenPackets(this.#reactor, this.path, (socket) => {
      this.#sessions.push(new ZdsSession(socket));
      this.#onSession?.();
    });
  }

  /** Removes the socket file and closes all connections, as if the agent was killed. */
  vanish(): void {
    this.#listener?.close();
    this.#listener = null;
    remove(this.path);
    for (const session of this.#sessions) session.close();
  }

  /** Returns the next connection, after its hello. */
  async session(): Promise<ZdsSession> {
    while (this.#sessions.length <= this.#taken) {
      await inTime("a connection to the agent", new Promise<void>((resolve) => this.#onSession = resolve));
    }
    const session = this.#sessions[this.#taken++]!;
    await session.hello();
    return session;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.vanish();
    this.#reactor.stop();
    await this.#running;
  }
}

/** The connection of one proxy. */
export class ZdsSession {
  readonly #socket: PacketSocket;
  #onReadable: (() => void) | null = null;

  constructor(socket: PacketSocket) {
    this.#socket = socket;
    socket.start({ onReadable: () => this.#onReadable?.() });
  }

  /** Waits for the hello. */
  async hello(): Promise<void> {
    const packet = await this.#packet("hello");
    assert.ok(packet !== null, "the proxy closed the connection without a hello");
    assert.equal(ZdsHello.decode(packet).version, istio.workload.zds.Version.V1);
  }

  /** Sends an Add. This and the following methods return the error of the acknowledgement, "" for success. */
  add({ uid, name, namespace, serviceAccount, path }: AgentPod): Promise<string> {
    return this.addWith({ uid, workloadInfo: { name, namespace, serviceAccount } }, [path]);
  }

  /** Sends any Add with descriptors of these files. */
  addWith(add: Partial<istio.workload.zds.AddWorkload>, paths: readonly string[]): Promise<string> {
    const open = paths.map((path) => new OwnedDescriptor(openNamespace(path)));
    this.send(WorkloadRequest.encode({ add }).finish(), open.map(({ fd }) => fd));
    for (const descriptor of open) descriptor.close();
    return this.answer();
  }

  delete(uid: string): Promise<string> {
    return this.#request({ del: { uid } });
  }

  keep(uid: string): Promise<string> {
    return this.#request({ keep: { uid } });
  }

  snapshotSent(): Promise<string> {
    return this.#request({ snapshotSent: {} });
  }

  /** Sends a packet. */
  send(bytes: Uint8Array, descriptors: readonly number[] = []): void {
    assert.equal(this.#socket.send(bytes, descriptors), null);
  }

  /** Sends up to `count` packets until the socket is full. Returns false where the proxy has closed the connection. */
  floods(bytes: Uint8Array, count: number): boolean {
    for (let i = 0; i < count; i++) {
      const failure = this.#socket.send(bytes);
      if (failure !== null) return failure.code === "EAGAIN";
    }
    return true;
  }

  /** Waits for an acknowledgement. */
  async answer(): Promise<string> {
    const packet = await this.#packet("an acknowledgement");
    assert.ok(packet !== null, "the proxy closed the connection without an acknowledgement");
    const { ack } = WorkloadResponse.decode(packet);
    assert.ok(ack !== null, "a response without ack");
    return ack.error;
  }

  /** Waits until the proxy has closed the connection. */
  async closed(): Promise<void> {
    assert.equal(await this.#packet("the end of the connection"), null);
  }

  close(): void {
    this.#socket.close();
  }

  #request(request: Parameters<typeof WorkloadRequest.encode>[0]): Promise<string> {
    this.send(WorkloadRequest.encode(request).finish());
    return this.answer();
  }

  /** Returns the next packet; null at the end of the connection. */
  async #packet(what: string): Promise<Uint8Array | null> {
    for (;;) {
      const readable = new Promise<void>((resolve) => this.#onReadable = resolve);
      const reception = this.#socket.receive();
      if (reception.kind === "packet") return reception.bytes.slice();
      if (reception.kind === "end") return null;
      await inTime(what, readable);
    }
  }
}

function remove(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
