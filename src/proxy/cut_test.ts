/**
 * How connections end that are cut: at the end of the grace period, or because their pod is removed. Both applications
 * see a reset, never a clean end, since their data was cut off (`docs/spec/dataplane.md` 5.4).
 */
import { strict as assert } from "node:assert";
import type { TestSocket } from "../hbone/testkit/socket.ts";
import { at, echo, Testbed, type TestNode, workloadAt } from "../dataplane/testkit/testbed.ts";

const CLIENT = "10.0.0.1", SERVER = "10.0.0.2", PLAIN = "10.0.0.3";

interface Scene {
  readonly bed: Testbed;
  readonly client: TestNode;
  readonly server: TestNode;
}

function scene(): Scene {
  const bed = new Testbed();
  const client = bed.node("client", CLIENT, { env: { UNSTABLE_ENABLE_SOCKS5: "true" } });
  const server = bed.node("server", SERVER);
  bed.host(PLAIN);
  bed.apply(workloadAt("plain", PLAIN, { protocol: "TCP" }));
  return { bed, client, server };
}

/** Both ends of each connection that is open when the node drains. */
type Make = (here: Scene) => { readonly clients: readonly TestSocket[]; readonly apps: readonly TestSocket[] };

/** `count` connections, each of which has sent and received bytes. */
function busy(from: string, to: string, count = 1): Make {
  return ({ bed }) => {
    const apps = bed.listen(`${to}:8080`, echo);
    const clients = Array.from({ length: count }, () => bed.connect(from, `${to}:8080`));
    for (const client of clients) client.send("x");
    bed.run();
    return { clients, apps };
  };
}

/** The client has ended its half of the stream, the application has not. */
const halfClosed: Make = ({ bed }) => {
  const apps = bed.listen(`${SERVER}:8080`);
  const client = bed.connect(CLIENT, `${SERVER}:8080`);
  client.send("x").end();
  bed.run();
  return { clients: [client], apps };
};

/** The application does not accept connections. */
const dialing = (from: string): Make => ({ bed }) => {
  bed.memory.blackhole(at(`${SERVER}:8080`));
  return { clients: [bed.connect(from, `${SERVER}:8080`)], apps: [] };
};

const negotiating: Make = ({ bed }) => {
  const client = bed.connect(CLIENT, "127.0.0.1:15080");
  client.send(Uint8Array.of(5));
  bed.run();
  return { clients: [client], apps: [] };
};

const CASES: readonly (readonly [what: string, leaving: "client" | "server", make: Make])[] = [
  ["outbound, over HBONE", "client", busy(CLIENT, SERVER)],
  ["outbound, over HBONE, half closed", "client", halfClosed],
  ["outbound, many over HBONE", "client", busy(CLIENT, SERVER, 100)],
  ["outbound, plain", "client", busy(CLIENT, PLAIN)],
  ["outbound, while the application is dialled", "client", dialing(CLIENT)],
  ["a SOCKS5 negotiation", "client", negotiating],
  ["inbound, over HBONE", "server", busy(CLIENT, SERVER)],
  ["inbound, over HBONE, half closed", "server", halfClosed],
  ["inbound, many over HBONE", "server", busy(CLIENT, SERVER, 100)],
  ["inbound, plain", "server", busy(PLAIN, SERVER)],
  ["inbound, plain, while the application is dialled", "server", dialing(PLAIN)],
];

for (const [what, leaving, make] of CASES) {
  for (const when of ["at the end of the grace period", "when its pod is removed"]) {
    Deno.test(`dataplane 5.4: cut ${when}: ${what}`, () => {
      const here = scene();
      const { clients, apps } = make(here);
      assert.ok([...clients, ...apps].every(({ fate }) => fate !== "reset"));
      const node = here[leaving];
      if (when === "when its pod is removed") node.stop();
      else node.drain(500);
      here.bed.advance(1000);
      assert.equal(node.drained, true);
      assert.deepEqual(new Set(clients.map(({ fate }) => fate)), new Set(["reset"]));
      assert.ok(apps.every(({ fate }) => fate === "reset"), [...new Set(apps.map(({ fate }) => fate))].join());
      here.bed.assertClean();
    });
  }
}
