/** The packets of connections through two proxies: TLS between the nodes, and no reset where a direct connection has none. */
import { strict as assert } from "node:assert";
import { commandName } from "../../lab/commands.ts";
import { testNeeding } from "../../lab/needs.ts";
import { Program } from "../../lab/program.ts";
import { SHARED } from "../../testkit/application_routes.ts";
import { compileEndings, play } from "../../testkit/endings.ts";
import { captureResets, captureWire, packetsOfWire, resetsOf } from "../../testkit/packets.ts";
import { ENDINGS } from "./endings.ts";

const HBONE = 15008;
const PORT = 7200;
const SECRET = "this text is sent in a tunnel";

const NEEDS = { ...SHARED.needs, packages: [...SHARED.needs.packages ?? [], "cc"] as const };

testNeeding(NEEDS, "packets, the text of an application is not readable between the nodes", async () => {
  await using pods = await SHARED.build();
  const { client, server, ip, wire } = pods;
  await using capture = await captureWire(wire!, `tcp port ${HBONE}`, ["-A"]);
  const nc = commandName("nc");
  await using receiver = new Program(nc, { args: ["-n", "-v", "-l", `${PORT}`], namespace: server.name });
  await receiver.line(/^Listening on/);
  await client.run("sh", "-ec", `echo '${SECRET}' | ${nc} -N ${ip} ${PORT}`);
  await receiver.line(new RegExp(`^${SECRET}$`));
  const lines = await packetsOfWire(capture, wire!, HBONE);
  assert.ok(lines.some((line) => line.includes(`${ip}.${HBONE}`)), "no packet of a tunnel was seen");
  assert.deepEqual(lines.filter((line) => line.includes(SECRET)), []);
});

testNeeding(NEEDS, "packets, connections that both sides end with FIN have no reset in either pod", async () => {
  await using pods = await SHARED.build();
  const { client, server } = pods;
  const executable = await compileEndings(pods);
  const direct = await play(pods, executable, ENDINGS, server);
  const isClean = (seen: string) => seen.split(", ").every((words) => words === "" || /^\d+ FIN$/.test(words));
  const clean = ENDINGS.filter((_, i) => isClean(direct[i]!.client) && isClean(direct[i]!.server));
  const quiet = clean.filter(({ client, server }) => !`${client} ${server}`.includes("reset"));
  await using ofClient = await captureResets(client);
  await using ofServer = await captureResets(server);
  await play(pods, executable, quiet, client);
  assert.deepEqual(await resetsOf(ofClient, client), []);
  assert.deepEqual(await resetsOf(ofServer, server), []);
});
