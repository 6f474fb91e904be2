/** Registers the tests of one route: all applications one after the other, through the same two proxies. */
import { strict as assert } from "node:assert";
import { lacks, type Needs, testNeeding } from "../lab/needs.ts";
import type { AppRoute } from "./application_routes.ts";
import { captureOutsideTunnels, packetsOfWire } from "./packets.ts";
import { type Application, checkApplication } from "./applications.ts";

/** Applications whose commands are missing here become a skipped test each. */
export function testApplications(route: AppRoute, applications: readonly Application[]): void {
  const needsOf = ({ packages }: Application): Needs => ({
    ...route.needs,
    packages: [...route.needs.packages ?? [], ...packages],
  });
  const possible = applications.filter((each) => lacks(needsOf(each)).length === 0);
  for (const each of applications.filter((each) => !possible.includes(each))) {
    testNeeding(needsOf(each), `applications, ${route.title}: ${each.name}`, () => {});
  }
  if (possible.length === 0) return;
  testNeeding(route.needs, `applications, ${route.title}`, async (t) => {
    await using pods = await route.build();
    const { wire } = pods;
    await using capture = wire === undefined ? null : await captureOutsideTunnels(wire);
    for (const each of possible) {
      await t.step(`${each.name}: the same results as without proxies`, () => checkApplication(pods, each));
    }
    if (wire !== undefined && capture !== null) {
      await t.step("between the nodes nothing is sent but HBONE", async () => {
        assert.deepEqual(await packetsOfWire(capture, wire), []);
      });
    }
    await t.step("the proxies end without an error", async () => {
      for (const proxy of pods.proxies) {
        const { code, output } = await proxy.stop();
        assert.equal(code, 0, output);
      }
    });
  });
}
