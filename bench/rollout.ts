/**
 * `deno task bench:rollout`: how many new connections fail while the proxies of a node are replaced again and again.
 * Needs root, nginx and iptables.
 */
import { parseArgs } from "node:util";
import { rollOut, ROLLOUT_SIDES } from "../testkit/rollout.ts";

const USAGE = `usage: deno task bench:rollout [--restarts=50] [--calls=100000] [--lanes=4]
                               [--sides=client,server]
  --restarts  how often a proxy is replaced
  --calls     connections that are made meanwhile, at least
  --lanes     how many are open at a time
  --sides     whose proxies: client, server, or both in turns
Exit status 1: a connection failed.`;

const { values } = parseArgs({
  args: [...Deno.args],
  options: {
    restarts: { type: "string", default: "50" },
    calls: { type: "string", default: "100000" },
    lanes: { type: "string", default: "4" },
    sides: { type: "string", default: "client,server" },
    help: { type: "boolean", short: "h", default: false },
  },
});
if (values.help) {
  console.log(USAGE);
  Deno.exit(0);
}
const asked = values.sides.split(",");
let failed = false;
for (const side of ROLLOUT_SIDES.filter((each) => asked.includes(each))) {
  const start = performance.now();
  const plan = { side, restarts: Number(values.restarts), calls: Number(values.calls), lanes: Number(values.lanes) };
  const { restarts, whole, failures } = await rollOut(plan, (count) => console.error(`${side}: ${count} restarts`));
  const count = Object.values(failures).reduce((sum, each) => sum + each, 0);
  const seconds = Math.round((performance.now() - start) / 1000);
  console.log(`${side}: ${restarts} restarts, ${whole + count} connections, ${count} failed, ${seconds} s`);
  for (const [error, times] of Object.entries(failures)) console.log(`  ${times} x ${error}`);
  failed ||= count > 0;
}
Deno.exit(failed ? 1 : 0);
