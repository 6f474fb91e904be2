/**
 * Attacks on the inbound port of a running proxy (`docs/spec/observed.md` O26-O33): the attacker is disconnected with a
 * reason and named in the log; other peers are served; no resources stay in use.
 */
import { strict as assert } from "node:assert";
import type { Attack } from "../testkit/attacks/attack.ts";
import { ATTACKS } from "../testkit/attacks/catalogue.ts";
import { Neighbour } from "../testkit/attacks/neighbour.ts";
import { SMALL_HEAP, Target } from "../testkit/attacks/target.ts";

const ENHANCE_YOUR_CALM = 11;
/** Duration of an attack that is not stopped, and the minimum of echoes of another peer in that time. */
const ATTACK_MS = 800, ECHOES = 4;
/**
 * Allowed growth of the proxy: garbage before its collection, and buffers. An attack that is held takes hundreds of
 * MiB.
 */
const SLACK = 64 << 20;

/** A signal that is aborted after `ms`. */
function stopAfter(ms: number): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), ms);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      controller.abort();
    },
  };
}

async function isCut(target: Target, { run, closeReason }: Attack): Promise<void> {
  using stop = stopAfter(30_000);
  await using attacker = await run(target.scene, stop.signal);
  await attacker.until(() => attacker.closed);
  const line = await target.proxy.line(new RegExp(`HBONE connection closed: .*peer=${attacker.address} `));
  assert.equal(line.level, "warn");
  assert.equal(line.scope, "proxy::inbound");
  const reason = line.message.replace("HBONE connection closed: ", "");
  assert.match(reason, closeReason!);
  // A peer that keeps sending may lose the last message to it.
  if (attacker.goAway !== null) assert.deepEqual(attacker.goAway, { code: ENHANCE_YOUR_CALM, debug: reason });
  assert.equal(line.fields.get("identity"), "spiffe://cluster.local/ns/test/sa/attacker");
}

async function isServed(target: Target, neighbour: Neighbour, { run, id }: Attack): Promise<void> {
  const stop = new AbortController();
  const served = neighbour.keepsEchoing(ECHOES, ATTACK_MS).finally(() => stop.abort());
  const [attacker] = await Promise.all([run(target.scene, stop.signal), served]);
  await using _ = attacker;
  if (id !== "vanish") assert.ok(!attacker.closed, JSON.stringify(attacker.goAway));
  assert.equal(attacker.goAway, null);
}

for (const allowed of [false, true]) {
  const title = allowed ? "who stays within limits is served, as its neighbour" : "who goes too far is cut and named";
  Deno.test(`attacks: ${title}`, async (t) => {
    // Access log lines of the attackers' streams are turned off: there are more than the queue holds.
    await using target = await Target.start("127.77.2.1", { env: { ...SMALL_HEAP, RUST_LOG: "info,access=off" } });
    await using neighbour = await Neighbour.open(target);
    const atRest = target.atRest + Neighbour.DESCRIPTORS, memory = target.memory();
    for (const attack of ATTACKS.filter(({ closeReason }) => (closeReason === null) === allowed)) {
      await t.step(`observed ${attack.row} ${attack.id}: ${attack.what}`, async () => {
        await (allowed ? isServed(target, neighbour, attack) : isCut(target, attack));
        await neighbour.echoes();
        await target.proxy.descriptorsBackTo(atRest);
      });
    }
    const growth = target.memory() - memory;
    assert.ok(growth < SLACK, `${growth >> 20} MiB more than before`);
  });
}
