import { strict as assert } from "node:assert";
import { configOf, lines, machine } from "../testkit/machine.ts";
import { checkSockets } from "./sockets.ts";

const absent = machine({ socketProblem: () => "No such file or directory (os error 2)" });

Deno.test("check: the socket of istio-cni in shared mode", async () => {
  assert.deepEqual(lines(await checkSockets(configOf({ INPOD_UDS: "/z.sock" }), machine())), ["ok CNI agent: /z.sock"]);
  const [problem = ""] = lines(await checkSockets(configOf({}), absent));
  assert.match(
    problem,
    /^problem CNI agent: \/var\/run\/ztunnel\/ztunnel\.sock: No such file .*cure: is istio-cni running/,
  );
});

Deno.test("check: dedicated mode needs no socket", async () => {
  const config = configOf({ PROXY_MODE: "dedicated", PROXY_WORKLOAD_INFO: "a/b/c" });
  assert.deepEqual(await checkSockets(config, absent), []);
});

Deno.test("check: the sockets of SPIRE and the container runtime", async () => {
  const problems = lines(await checkSockets(configOf({ SPIRE_ENABLED: "true" }), absent)).slice(1);
  assert.match(problems[0]!, /^problem SPIRE agent: \/run\/spire\/sockets\/admin\.sock: .*SPIRE_ADMIN_ENDPOINT_SOCKET/);
  assert.match(problems[1]!, /^problem container runtime: none of .*CONTAINER_RUNTIME_SOCK_PATH.*selectors$/);
  const crio = machine({ socketProblem: (path) => path.includes("containerd") ? "absent" : null });
  assert.deepEqual(
    lines(await checkSockets(configOf({ SPIRE_ENABLED: "true" }), crio)).at(-1),
    "ok container runtime: /run/crio/crio.sock",
  );
  const selectors = configOf({ SPIRE_ENABLED: "true", SPIRE_ATTESTATION: "selectors" });
  assert.equal((await checkSockets(selectors, absent)).length, 2);
});

Deno.test("check: the sockets of a SPIFFE broker", async () => {
  const config = configOf({
    CA_PROVIDER: "spiffe_broker",
    SPIFFE_BROKER_SOCKET: "unix:///b.sock",
    SPIFFE_BROKER_WORKLOAD_API_SOCKET: "unix:///w.sock",
  });
  assert.deepEqual(lines(await checkSockets(config, machine())).slice(1), [
    "ok SPIRE agent: /w.sock",
    "ok SPIFFE broker: /b.sock",
  ]);
});

Deno.test("check: with FAKE_CA no agent is used", async () => {
  assert.equal((await checkSockets(configOf({ SPIRE_ENABLED: "true", FAKE_CA: "true" }), machine())).length, 1);
});

Deno.test("check: a SPIRE agent whose socket is left over is a problem; the CNI agent's is not connected to", async () => {
  const connected: string[] = [];
  const facts = machine({
    connectProblem(path) {
      connected.push(path);
      return Promise.resolve("Connection refused (os error 111)");
    },
  });
  const found = lines(await checkSockets(configOf({ SPIRE_ENABLED: "true", SPIRE_ATTESTATION: "selectors" }), facts));
  assert.match(
    found[1]!,
    /^problem SPIRE agent: \/run\/spire\/sockets\/admin\.sock: Connection refused .*cure: is the SPIRE/,
  );
  assert.deepEqual(connected, ["/run/spire/sockets/admin.sock"]);
});
