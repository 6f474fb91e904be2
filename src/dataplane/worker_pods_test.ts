/** Pods of shared mode on one worker, in an in-memory network. */
import { strict as assert } from "node:assert";
import { parseConfig } from "../config/parse_config.ts";
import { decode, question } from "../dns/testkit/dns_bed.ts";
import { NOW, TestIssuer } from "../hbone/testkit/identity.ts";
import { TestSocket } from "../hbone/testkit/socket.ts";
import { type Ip, isLoopback, parseIp, type SocketAddress } from "../net/address.ts";
import { MemoryNetwork, memoryTlsContext } from "../net/testkit/memory_network.ts";
import { type DatagramSocket, ListenError } from "../net/network.ts";
import { Metrics } from "../telemetry/metrics.ts";
import { testLog } from "../telemetry/testkit/log.ts";
import { DataPlane } from "./data_plane.ts";
import { WorkerPods } from "./worker_pods.ts";
import type { DumpDirection, DumpedConnection } from "../proxy/connection_dump.ts";
import type { PodAnswer, PodInstance } from "./pod_messages.ts";
import { at, echo, workloadAt } from "./testkit/testbed.ts";

const MARK = 1337;
const FILES: Readonly<Record<string, string>> = { "/etc/resolv.conf": "nameserver 10.0.0.10\n" };
const IMMEDIATE = { kind: "immediate" } as const;

/** The addresses of the namespace with this number. */
const addressOf = (namespace: number): Ip => parseIp(`10.0.0.${namespace}`)!;

class Bed {
  readonly network = new MemoryNetwork();
  readonly log = testLog();
  readonly answers: PodAnswer[] = [];
  readonly plane: DataPlane;
  readonly pods: WorkerPods;
  /** Identities whose certificates were requested. */
  readonly wanted: string[] = [];
  /** The authority answers. */
  issuing = true;
  /** Existing namespaces, by descriptor. */
  readonly namespaces = new Map<number, { identity: string; cookie: bigint | null }>();

  readonly #datagrams: DatagramSocket[] = [];

  constructor(env: Readonly<Record<string, string>> = {}) {
    const udp = this.network.udp.bind(this.network);
    this.network.udp = (at, sink) => {
      const { address: { ip }, namespace } = at;
      if (/^10[.]0[.]0[.]/.test(ip) && ip !== addressOf(namespace!)) {
        throw new ListenError("not an address of this namespace", "EADDRNOTAVAIL", at.address);
      }
      const socket = udp(at, sink);
      this.#datagrams.push(socket);
      return socket;
    };
    const issuer = new TestIssuer();
    const files = { read: (path: string) => FILES[path] ?? null, exists: (path: string) => path in FILES };
    const config = parseConfig({ ISTIO_META_DNS_CAPTURE: "false", ...env }, files, 2);
    this.plane = new DataPlane({
      config,
      network: this.network,
      log: this.log.log,
      metrics: new Metrics(),
      makeContext: memoryTlsContext,
      requestLookup() {},
      requestCertificate: ({ id }) => {
        this.wanted.push(id);
        if (this.issuing) this.network.nextTurn({ runTurn: () => this.plane.setCertificate(issuer.issue(id)) });
      },
      sharedListeners: true,
      wallClock: () => NOW + this.network.now(),
      random: () => 0,
      hashSeed: 0,
      fillRandom: (bytes) => void bytes.fill(1),
      addresses: (namespace) => [addressOf(namespace)],
    });
    this.pods = new WorkerPods({
      plane: this.plane,
      answer: (answer) => this.answers.push(answer),
      inspectNamespace: (descriptor) => this.namespaces.get(descriptor) ?? null,
    });
    this.network.redirect(({ to, namespace, mark }) => this.#redirect(to, namespace, mark));
  }

  /** The pod's namespace, its descriptor and its instance have one number. */
  serve(name: string, number: number, ip: string, { isNamespace = true, announce = true, inMesh = true } = {}): void {
    this.network.assign(number, parseIp(ip)!);
    if (isNamespace) this.namespaces.set(number, { identity: `ns-${number}`, cookie: BigInt(number) });
    if (inMesh) this.inMesh(name, ip);
    this.pods.receive({
      kind: "serve",
      instance: number as PodInstance,
      uid: name,
      workload: { name, namespace: "default", serviceAccount: name },
      namespace: number,
      announce,
    });
  }

  inMesh(name: string, ip: string): void {
    this.plane.applyMesh([workloadAt(name, ip, { protocol: "HBONE", trustDomain: "cluster.local" })]);
  }

  /** The response code of the answer to a DNS question; null while there is no answer. */
  ask(namespace: number): string | null {
    const answers: Uint8Array[] = [];
    const app = this.network.udp({ address: at("127.0.0.1:0"), namespace }, {
      onDatagram: (bytes) => answers.push(bytes.slice()),
    });
    app.send(question("A", "localhost."), at("127.0.0.1:15053"));
    this.network.advance(10);
    app.close();
    return answers.length === 0 ? null : decode(answers[0]!).rcode;
  }

  stop(instance: number): void {
    this.pods.receive({ kind: "stop", instance: instance as PodInstance, mode: IMMEDIATE });
  }

  /** Closes the UDP sockets without notifying their owner. */
  breakDns(): void {
    for (const socket of this.#datagrams) socket.close();
  }

  connect(namespace: number, to: string): TestSocket {
    let socket: TestSocket | null = null;
    this.network.dial(at(to), { namespace }, {
      onConnect: (duplex) => socket = new TestSocket(this.network, duplex, true),
      onDialFailure: (ending) => assert.fail(ending.message),
    });
    this.network.runUntilIdle();
    return socket!;
  }

  app(address: string, namespace: number): TestSocket[] {
    const sockets: TestSocket[] = [];
    this.network.listen({ address: at(address), namespace }, ({ duplex }) => {
      const socket = new TestSocket(this.network, duplex, true);
      sockets.push(socket);
      echo(socket);
    });
    return sockets;
  }

  get lines(): string[] {
    return this.log.lines().map((line) => line.split("\t").slice(1).join(" ").trimEnd());
  }

  #redirect(to: SocketAddress, _namespace: number, mark: number | null): SocketAddress | null {
    return mark === MARK || isLoopback(to.ip) ? null : { ip: parseIp("127.0.0.1")!, port: 15001 };
  }
}

Deno.test("pods of one worker: each in its own namespace, with traffic between them, and their spans in the log", () => {
  const bed = new Bed();
  bed.serve("a", 1, "10.0.0.1");
  bed.serve("b", 2, "10.0.0.2");
  assert.deepEqual(bed.answers, [{ kind: "started", instance: 1 }, { kind: "started", instance: 2 }]);
  const apps = bed.app("10.0.0.2:8080", 2);
  const socket = bed.connect(1, "10.0.0.2:8080").send("hello");
  bed.network.runUntilIdle();
  assert.equal(socket.text, "hello");
  assert.equal(apps[0]!.duplex.remote.ip, "10.0.0.1", "the source is kept");
  const connections = (instance: number, direction: DumpDirection): readonly DumpedConnection[] => {
    const request = { kind: "connections", request: 1, direction, after: null } as const;
    bed.pods.receive({ ...request, instance: instance as PodInstance });
    const answer = bed.answers.pop();
    return answer?.kind === "connections" ? answer.page.entries : [];
  };
  const source = `10.0.0.1:${socket.duplex.local.port}`;
  assert.deepEqual([connections(1, "inbound"), connections(2, "outbound")], [[], []]);
  const [outbound, inbound] = [...connections(1, "outbound"), ...connections(2, "inbound")];
  const { id, tls, ...rest } = outbound!;
  assert.match(id, /^[0-9a-f]{32}$/);
  assert.deepEqual(rest, {
    src: source,
    originalDst: "10.0.0.2:8080",
    actualDst: "10.0.0.2:15008",
    protocol: "HBONE",
    route: "destination",
    identity: null,
    service: null,
    decision: rest.decision,
    state: "open",
    age: rest.age,
    idle: rest.idle,
    carrier: 1,
  });
  assert.equal(tls?.version, inbound?.tls?.version);
  assert.deepEqual([inbound!.actualDst, inbound!.protocol, inbound!.route, inbound!.id], [
    "10.0.0.2:8080",
    "HBONE",
    null,
    id,
  ]);
  assert.match(inbound!.identity ?? "", /\/sa\//);
  bed.stop(2);
  bed.network.advance(100);
  assert.notEqual(socket.fate, "open");
  assert.deepEqual(bed.answers.at(-1), { kind: "ended", instance: 2 });
  assert.ok(
    bed.lines.includes('info drain:proxy{wl=default/b} shutdown complete component="inbound"'),
    bed.lines.join("\n"),
  );
  bed.stop(1);
});

Deno.test("one of the workers that serve a pod logs its listeners", () => {
  const bed = new Bed({ ISTIO_META_DNS_CAPTURE: "true" });
  bed.serve("a", 1, "10.0.0.1");
  const said = bed.lines.filter((line) => /listener established|starting local DNS/.test(line));
  assert.equal(said.length, 4, said.join("\n"));
  bed.serve("b", 2, "10.0.0.2", { announce: false });
  bed.stop(2);
  const other = bed.lines.filter((line) => /listener established|DNS|dns server/.test(line));
  assert.deepEqual(other, said);
  bed.stop(1);
});

Deno.test("a port in use fails the pod's start with the reason; its other sockets are closed, other pods are served", () => {
  const bed = new Bed();
  bed.serve("a", 1, "10.0.0.1");
  const taken = bed.network.listen({ address: at("[::]:15001"), namespace: 2 }, () => {});
  bed.serve("b", 2, "10.0.0.2");
  const reason = "failed to bind to address [::]:15001: Address already in use (os error 98)";
  assert.deepEqual(bed.answers.at(-1), { kind: "failed", instance: 2, reason });
  taken.close();
  bed.stop(2);
  assert.equal(bed.answers.length, 2, "there is nothing to stop");
  const other = bed.network.listen({ address: at("[::]:15008"), namespace: 2 }, () => {});
  other.close();
  bed.stop(1);
});

Deno.test("a pod whose certificate has not arrived is served; its connections wait for it, 10 s at most", () => {
  const bed = new Bed();
  bed.issuing = false;
  bed.serve("a", 1, "10.0.0.1");
  bed.serve("b", 2, "10.0.0.2");
  assert.deepEqual(bed.answers.map(({ kind }) => kind), ["started", "started"]);
  const apps = bed.app("10.0.0.2:8080", 2);
  const socket = bed.connect(1, "10.0.0.2:8080").send("hello");
  bed.network.advance(9999);
  assert.equal(socket.fate, "open");
  bed.network.advance(1);
  assert.notEqual(socket.fate, "open");
  assert.equal(apps.length, 0);
  const line = bed.lines.find((text) => text.includes("no certificate"))!;
  assert.match(line, /error="[^"]*no certificate for spiffe:\/\/cluster\.local\/ns\/default\/sa\/a within 10 s/);
  bed.issuing = true;
  const next = bed.connect(1, "10.0.0.2:8080").send("hello");
  bed.network.runUntilIdle();
  assert.equal(next.text, "hello");
  for (const instance of [1, 2]) bed.stop(instance);
});

Deno.test("inpod Z16: a descriptor that is none of a namespace fails with that reason", () => {
  const bed = new Bed();
  bed.network.listen({ address: at("[::]:15008"), namespace: 1 }, () => {});
  bed.serve("a", 1, "10.0.0.1", { isNamespace: false });
  const reason = "cannot enter the pod's network namespace (is the agent's descriptor one?): " +
    "failed to bind to address [::]:15008: Address already in use (os error 98)";
  assert.deepEqual(bed.answers, [{ kind: "failed", instance: 1, reason }]);
});

Deno.test("a pod that is stopped twice ends once; INPOD_PORT_REUSE decides whether ports are shared", () => {
  for (const reuse of ["true", "false"]) {
    const bed = new Bed({ INPOD_PORT_REUSE: reuse });
    bed.serve("a", 1, "10.0.0.1");
    const again = () => bed.network.listen({ address: at("[::]:15001"), namespace: 1, reusePort: true }, () => {});
    if (reuse === "true") again().close();
    else assert.throws(again, { code: "EADDRINUSE" });
    bed.stop(1);
    bed.stop(1);
    assert.deepEqual(bed.answers.map(({ kind }) => kind), ["started", "ended"]);
  }
});

for (const mode of [{ kind: "immediate" }, { kind: "graceful", deadline: 1000 }] as const) {
  Deno.test(`config ENABLE_PROXY=false: a pod has its DNS and no listener of the proxy, ${mode.kind} end`, () => {
    const bed = new Bed({ ISTIO_META_DNS_CAPTURE: "true", ENABLE_PROXY: "false" });
    bed.serve("a", 1, "10.0.0.1");
    assert.deepEqual(bed.answers, [{ kind: "started", instance: 1 }]);
    for (const port of [15001, 15006, 15008]) {
      bed.network.listen({ address: at(`[::]:${port}`), namespace: 1 }, () => {}).close();
    }
    const answers: Uint8Array[] = [];
    const app = bed.network.udp({ address: at("127.0.0.1:0"), namespace: 1 }, {
      onDatagram: (bytes) => answers.push(bytes.slice()),
    });
    app.send(question("A", "localhost."), at("127.0.0.1:15053"));
    bed.network.advance(10);
    assert.deepEqual(decode(answers[0]!).answers.map(({ data }) => data), ["127.0.0.1"]);
    app.close();
    bed.pods.receive({ kind: "stop", instance: 1 as PodInstance, mode });
    bed.network.advance(1000);
    assert.deepEqual(bed.answers.at(-1), { kind: "ended", instance: 1 });
  });
}

Deno.test("reports: the sockets of a pod's DNS proxy are inspected too, UDP and TCP of both families", () => {
  const bed = new Bed({ ISTIO_META_DNS_CAPTURE: "true" });
  bed.serve("a", 1, "10.0.0.1");
  const report = () => {
    bed.pods.receive({ kind: "report", request: 5 });
    const answer = bed.answers.at(-1)!;
    assert.ok(answer.kind === "report");
    return answer.pods[0]!.faults;
  };
  assert.deepEqual(report(), []);
  bed.namespaces.set(1, { identity: "ns-1", cookie: 99n });
  assert.deepEqual(report(), [
    ...Array(3).fill("a listener stands in another namespace"),
    ...Array(4).fill("a DNS socket stands in another namespace"),
  ]);
  bed.namespaces.set(1, { identity: "ns-1", cookie: 1n });
  bed.breakDns();
  assert.deepEqual(report(), Array(2).fill("a DNS socket does not listen"));
  bed.stop(1);
});

Deno.test("reports: listeners in another namespace, and a namespace that was removed", () => {
  const bed = new Bed();
  bed.serve("a", 1, "10.0.0.1");
  bed.serve("b", 2, "10.0.0.2");
  bed.serve("c", 3, "10.0.0.3");
  bed.namespaces.set(2, { identity: "ns-2", cookie: 99n });
  bed.namespaces.delete(3);
  bed.answers.length = 0;
  bed.pods.receive({ kind: "report", request: 5 });
  const strange = "a listener stands in another namespace";
  assert.deepEqual(bed.answers, [{
    kind: "report",
    request: 5,
    pods: [
      { instance: 1, namespace: "ns-1", faults: [] },
      { instance: 2, namespace: "ns-2", faults: [strange, strange, strange] },
      { instance: 3, namespace: null, faults: [] },
    ],
  }]);
  for (const instance of [1, 2, 3]) bed.stop(instance);
});

for (const answer of ["confirms", "ends"] as const) {
  Deno.test(`a pod that is recreated while the control plane is away is served; the next response ${answer} it`, () => {
    const bed = new Bed({ ISTIO_META_DNS_CAPTURE: "true" });
    bed.serve("a", 1, "10.0.0.1");
    bed.serve("b", 2, "10.0.0.2");
    bed.app("10.0.0.2:8080", 2);
    bed.plane.state.setFreshness("stale");
    bed.stop(1);
    bed.serve("a", 9, "10.0.0.9", { inMesh: false });
    const socket = bed.connect(9, "10.0.0.2:8080").send("hello");
    bed.network.runUntilIdle();
    assert.equal(socket.text, "hello");
    assert.equal(bed.ask(9), "NOERROR");
    assert.ok(bed.wanted.includes("spiffe://cluster.local/ns/default/sa/a"), bed.wanted.join());
    if (answer === "confirms") bed.inMesh("a", "10.0.0.9");
    bed.plane.state.setFreshness("current");
    bed.network.advance(100);
    assert.equal(socket.fate, answer === "confirms" ? "open" : "reset");
    const next = bed.connect(9, "10.0.0.2:8080").send("hello");
    bed.network.advance(6000);
    assert.equal(next.text, answer === "confirms" ? "hello" : "");
    for (const instance of [2, 9]) bed.stop(instance);
  });
}

Deno.test("a pod that is not served: the log has the reason, and DNS answers SERVFAIL while the control plane is away", () => {
  const bed = new Bed({ ISTIO_META_DNS_CAPTURE: "true" });
  bed.inMesh("b", "10.0.0.9");
  bed.plane.state.setFreshness("stale");
  bed.inMesh("a", "10.0.0.1");
  bed.serve("a", 9, "10.0.0.9", { inMesh: false });
  const why = bed.lines.filter((line) => line.includes("nothing is served for this pod yet"));
  assert.equal(why.length, 1, bed.lines.join("\n"));
  assert.match(why[0]!, /warn proxy:proxy.wl=default.a. .* an address of another workload/);
  assert.equal(bed.ask(9), "SERVFAIL");
  bed.plane.state.setFreshness("current");
  assert.equal(bed.ask(9), null, "the mesh may be behind for a moment");
  bed.stop(9);
});
