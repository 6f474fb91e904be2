/** The small form of `deno task soak`: everything runs, no connection fails, and nothing is left. */
import { strict as assert } from "node:assert";
import { testNeeding } from "../../lab/needs.ts";
import { leftOf } from "../soak/figures.ts";
import { Scene } from "../soak/scene.ts";
import { soak } from "../soak/soak.ts";

/** For samples of everything, and for a pod that is removed. */
const MINUTES = 0.4;

testNeeding(
  { namespaces: true, packages: ["curl", "dnsmasq", "iptables"] },
  "soak: no connection fails that should not, and nothing is left of the load",
  async () => {
    await using scene = await Scene.build();
    const { proxies, calls, seconds } = await soak(scene, { minutes: MINUTES, rate: 1 }, () => {});
    for (const [name, { succeeded, failed, reasons, mayFail }] of Object.entries(calls)) {
      if (!mayFail) assert.deepEqual([name, failed, reasons], [name, 0, {}]);
      assert.ok(succeeded + failed > 0, `${name}: no connection was made`);
    }
    for (const { name, rest, errors, points } of proxies) {
      assert.deepEqual(leftOf(rest).filter(({ ok }) => !ok), [], name);
      assert.deepEqual(errors.lines, [], name);
      for (const id of ["descriptors", "rss", "series", "mesh", "certificates"] as const) {
        assert.ok(points(id, 0, seconds).length >= 2, `${name}: ${id} has no samples`);
      }
    }
  },
);
