/** Mosquitto: MQTT messages in each quality of service to a subscriber that waits, and one of 20 MB. */
import { strict as assert } from "node:assert";
import type { Program } from "../../lab/program.ts";
import type { Application, AppRun } from "../../testkit/applications.ts";

const PORT = 1883;
const MESSAGES = 200;
const QUALITIES = [0, 1, 2];
/** A subscriber and a publisher for each quality of service, and for the large message, within the pod and by the mesh. */
const CLIENTS = 2 * QUALITIES.length + 4;

export const MOSQUITTO: Application = {
  name: "Mosquitto",
  packages: ["mosquitto", "mosquitto_sub", "openssl"],
  async check(run) {
    const conf = `${run.folder}/mosquitto.conf`;
    const settings = [`listener ${PORT} ${run.ip}`, "allow_anonymous true", "user root", "log_dest stderr"];
    settings.push("log_type information", "log_type notice", "log_type subscribe");
    Deno.writeTextFileSync(conf, settings.map((line) => `${line}\n`).join(""));
    const broker = await run.serve("mosquitto", ["-c", conf], /mosquitto version .* running/);
    for (const quality of QUALITIES) await publish(run, broker, quality);

    const zero = "0".repeat(32);
    const noise = `openssl enc -aes-128-ctr -K ${zero} -iv ${zero} -in /dev/zero 2>/dev/null | head -c 20000000`;
    const at = `-h ${run.ip} -t large`;
    const checksum = await run.same(`${noise} > ${run.folder}/large; sha256sum < ${run.folder}/large`);
    // The broker keeps it for a subscriber that comes later.
    const received = `mosquitto_pub ${at} -r -q 1 -f ${run.folder}/large; mosquitto_sub ${at} -C 1 -N | sha256sum`;
    assert.equal(await run.same(received), checksum);
    // A broker that is killed before it has read a client's last message resets that connection.
    await broker.matches(/ disconnected\.$/, CLIENTS);
  },
};

/** The messages of a publisher reach the subscriber in their order. */
async function publish(run: AppRun, broker: Program, quality: number): Promise<void> {
  const topic = `news/${quality}`, quiet = `-h ${run.ip} -q ${quality}`;
  const format = ["-t", topic, "-F", "%t %p"];
  const subscriber = run.start(run.client, "mosquitto_sub", [
    ...quiet.split(" "),
    ...format,
    "-C",
    `${MESSAGES}`,
    "-d",
  ]);
  await broker.line(new RegExp(` ${quality} ${topic}$`));
  await run.client.run("sh", "-ec", `seq ${MESSAGES} | mosquitto_pub ${quiet} -t ${topic} -l`);
  const received = await subscriber.matches(new RegExp(`^${topic} (\\d+)$`), MESSAGES);
  assert.deepEqual(received.map(([, number]) => Number(number)), Array.from({ length: MESSAGES }, (_, i) => i + 1));
  assert.equal((await subscriber.ended()).code, 0);
}
