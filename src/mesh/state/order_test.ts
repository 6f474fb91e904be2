/** Where several candidates are equally good, the choice must be deterministic (`docs/spec/xds-state.md` 8.1 Q15). */
import { strict as assert } from "node:assert";
import { service, stateOf, vip, workload } from "../testkit/fixture.ts";
import { guessService, servicesOf } from "../resolve/service_guess.ts";

const VIP = "/10.9.0.1";
const offered = ["b/b.example", "a/a.example", "c/c.example"];
const POD = workload({
  name: "pod",
  namespace: "ns",
  ips: ["10.0.0.1"],
  services: Object.fromEntries(offered.map((key) => [key, { 80: 8080 }])),
});
const SERVICES = ["a", "b", "c"].map((namespace) =>
  service({ namespace, hostname: `${namespace}.example`, vips: [VIP], ports: { 80: 8080 } })
);

Deno.test("xds Q15: telemetry names the first service that the workload lists, whatever the order of arrival", () => {
  for (const changes of [[...SERVICES, POD], [POD, ...SERVICES], [...SERVICES.toReversed(), POD]]) {
    const state = stateOf(...changes);
    const guess = () => guessService(POD.workload, servicesOf(state, POD.workload), null, 8080)?.hostname;
    assert.equal(guess(), "b.example");
    state.apply([SERVICES[1]!]);
    assert.equal(guess(), "b.example", "sent again");
    state.apply([{ kind: "remove-address", name: "b/b.example" }]);
    assert.equal(guess(), "a.example", "the next one");
  }
});

Deno.test("xds Q15: clients of other namespaces get the first of the services that share an address, until it is sent again", () => {
  const state = stateOf(...SERVICES);
  const { network, ip } = vip(VIP);
  const found = () => state.serviceByVip(network, ip, "elsewhere")?.service.hostname;
  assert.equal(found(), "a.example");
  state.apply([POD]);
  assert.equal(found(), "a.example", "endpoints that come change no order");
  state.apply([SERVICES[0]!]);
  assert.equal(found(), "b.example");
});
