/** Restarts and rotation of certificates between our proxy and the Rust ztunnel: no connection is lost. */
import { strict as assert } from "node:assert";
import { get, nginx } from "../../lab/bed/apps.ts";
import { identityOf } from "../../lab/bed/mesh.ts";
import { testNeeding } from "../../lab/needs.ts";
import { eventually } from "../../lab/eventually.ts";
import type { Program } from "../../lab/program.ts";
import type { Proxy } from "../../lab/proxy.ts";
import { DIRECTIONS, outcome, PEER_NEEDS, PeerBed } from "../../testkit/rust_peer.ts";

const SHORT_LIVED = { SECRET_TTL: "12s", POOL_UNUSED_RELEASE_TIMEOUT: "1s" } as const;
/** A drain deadline that is long enough for all connections. */
const PATIENT = { CONNECTION_TERMINATION_DEADLINE: "1h", RUST_LOG: "info,access=error" } as const;

/**
 * Of `connector.ts`. A Rust ztunnel that calls can lose what is under way in each of them: to a GOAWAY, or with what
 * waits in its queue when it stops to accept (observed O39, O40). Ours loses nothing, also where a Rust ztunnel is
 * called (O38).
 */
const LANES = 2;
const OURS = "one of ours", RUST = "a Rust ztunnel";

for (const direction of DIRECTIONS) {
  for (const [node, side] of [[1, "client"], [2, "server"]] as const) {
    // Two Rust ztunnels cannot be on one host: the port of readiness is fixed.
    for (const successor of node === direction.rust ? [OURS] : [OURS, RUST]) {
      testNeeding(
        PEER_NEEDS,
        `ztunnel: ${direction.title}: the proxy of the ${side} is replaced by ${successor} during traffic`,
        async () => {
          await using bed = await PeerBed.build(direction, PATIENT);
          const client = bed.pod("client"), server = bed.pod("server");
          await nginx(bed.cluster, server.namespace, "server");
          const app = await bed.app(server);
          const held = await bed.hold(client, server);
          await app.line(/^holding$/);
          const connector = bed.connector(client, server, LANES);
          await connector.line(/^500 done$/);
          const old = await bed.replace(side === "server" ? bed.far : bed.near, successor === RUST);
          old.signal("SIGTERM");
          await eventually(
            "a tunnel for what comes later",
            async () => await bed.hboneConnections(client, server) === 2,
          );
          await furtherCalls(connector, 1000);
          assert.deepEqual(held.printed, ["connected"]);
          held.signal("SIGUSR2");
          await app.line(/^gone: /);
          assert.equal((await old.ended()).code, 0);
          const { failures } = await outcome(connector);
          const lost = sum(Object.values(failures));
          const bearable = direction.rust === 1 ? LANES : 0;
          assert.ok(lost <= bearable, complaints(failures, { near: bed.near.proxy, far: bed.far.proxy, old }));
        },
      );
    }
  }

  testNeeding(
    PEER_NEEDS,
    `ztunnel: ${direction.title}: certificates of twelve seconds are renewed during traffic`,
    async () => {
      await using bed = await PeerBed.build(direction, { ...SHORT_LIVED, RUST_LOG: "info,access=error" });
      const client = bed.pod("client"), other = bed.pod("other"), server = bed.pod("server");
      await nginx(bed.cluster, server.namespace, "server");
      const connector = bed.connector(client, server, LANES);
      const issued = (name: string) =>
        bed.ca.calls.filter(({ impersonated }) => impersonated === identityOf(name)).length;
      // The first certificate has expired when the fourth arrives.
      for (let count = 1; count <= 4; count++) {
        await eventually(`certificate ${count}`, () => issued("client") >= count && issued("server") >= count);
        assert.equal(await bed.hboneConnections(other, server), 0);
        assert.equal(await get(other.namespace, server.ip), `server from ${other.ip}`, "with a handshake of its own");
      }
      const { whole, failures } = await outcome(connector);
      // Ours ends a connection with a GOAWAY when its certificates expire. A Rust ztunnel can lose calls to each (O39).
      const bearable = direction.rust === 1 ? LANES * issued("client") : 0;
      assert.ok(
        sum(Object.values(failures)) <= bearable,
        complaints(failures, { near: bed.near.proxy, far: bed.far.proxy }),
      );
      assert.ok(whole > 0);
    },
  );
}

/** Waits until so many more connections have succeeded. */
async function furtherCalls(connector: Program, count: number): Promise<void> {
  const before = connector.printed.filter((line) => line.endsWith(" done")).length;
  await connector.matches(/^\d+ done$/, before + count / 500);
}

/** The output of callers and proxies, for a test that fails. */
function complaints(failures: object, proxies: Readonly<Record<string, Proxy>>): string {
  const said = Object.entries(proxies).flatMap(([who, { program }]) =>
    program.printed.filter((line) => /\t(warn|error)\t/.test(line)).slice(0, 10).map((line) => `${who}: ${line}`)
  );
  return [JSON.stringify(failures), ...said].join("\n");
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}
