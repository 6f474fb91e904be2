/** Redis: its benchmark, mass insertion, a large value, and messages that the server sends by itself. */
import { strict as assert } from "node:assert";
import type { Application, AppRun } from "../../testkit/applications.ts";
import { eventually } from "../../lab/eventually.ts";

const PORT = 6379;
const CHANNEL = "news";
const MESSAGES = 100;

export const REDIS: Application = {
  name: "Redis",
  packages: ["redis-server", "redis-benchmark", "openssl"],
  async check(run) {
    const args = ["--port", `${PORT}`, "--bind", run.ip, "--save", "", "--dir", run.folder, "--protected-mode", "no"];
    await run.serve("redis-server", args, /Ready to accept connections/);
    await publish(run);
    const cli = `redis-cli -h ${run.ip}`;

    const tests = "ping,set,get,incr,lpush,rpop,lrange_100,mset";
    const benchmark = `redis-benchmark -h ${run.ip} -c 20 -n 2000 -P 4 --csv -t ${tests}`;
    const names = await run.same(benchmark, (csv) => csv.replace(/",.*$/gm, '"'));
    assert.match(names, /LRANGE_100/);

    const inserted = await run.same(`seq 50000 | sed 's/.*/SET key:& value-&/' | ${cli} --pipe`);
    assert.match(inserted, /errors: 0, replies: 50000/);
    assert.equal((await run.client.run("sh", "-ec", `${cli} GET key:49999`)).trim(), "value-49999");

    // 40 MB in one command, and in one answer.
    const noise = `openssl enc -aes-128-ctr -K ${"0".repeat(32)} -iv ${"0".repeat(32)} -in /dev/zero 2>/dev/null`;
    await run.same(`${noise} | head -c 40000000 | ${cli} -x SET large; ${cli} --raw GET large | sha256sum`);
  },
};

/** The subscriber waits in silence; each message arrives without a request of it. */
async function publish(run: AppRun): Promise<void> {
  const subscriber = run.start(run.client, "redis-cli", ["-h", run.ip, "SUBSCRIBE", CHANNEL]);
  await subscriber.line(/^subscribe$/);
  await eventually("the subscription", async () => {
    return (await run.server.run("redis-cli", "-h", run.ip, "PUBSUB", "NUMSUB", CHANNEL)).trim().endsWith("1");
  });
  const commands = `seq ${MESSAGES} | sed 's/.*/PUBLISH ${CHANNEL} message-&/' | redis-cli -h ${run.ip}`;
  await run.client.run("sh", "-ec", commands);
  const received = await subscriber.matches(/^message-(\d+)$/, MESSAGES);
  assert.deepEqual(received.map(([, number]) => Number(number)), Array.from({ length: MESSAGES }, (_, i) => i + 1));
  await subscriber.stop();
}
