/** NATS, where the server speaks first: messages from one client to another that waits. */
import { strict as assert } from "node:assert";
import { commandName } from "../../lab/commands.ts";
import type { Application } from "../../testkit/applications.ts";

const PORT = 4222;
const MESSAGES = 2000;
const CONNECT = `CONNECT {"verbose":false}\\r\\n`;

export const NATS: Application = {
  name: "NATS",
  packages: ["nats-server", "nc"],
  async check(run) {
    await run.serve("nats-server", ["-a", run.ip, "-p", `${PORT}`], /Server is ready/);
    // Debian has no client of NATS; its protocol is text.
    const nc = `${commandName("nc")} ${run.ip} ${PORT}`;
    const subscribe = `{ printf '${CONNECT}SUB news 1\\r\\nPING\\r\\n'; exec tail -f /dev/null; } | ${nc}`;
    const subscriber = run.start(run.client, "sh", ["-ec", subscribe]);
    await subscriber.line(/^PONG\r$/);
    const messages = `seq ${MESSAGES} | awk '{ printf "PUB news %d\\r\\nmessage-%s\\r\\n", length($0) + 8, $0 }'`;
    await run.client.run("sh", "-ec", `{ printf '${CONNECT}'; ${messages}; } | ${nc} -N`);
    const received = (await subscriber.matches(/^message-(\d+)\r$/, MESSAGES)).map(([, number]) => Number(number));
    assert.deepEqual(received, Array.from({ length: MESSAGES }, (_, i) => i + 1));
  },
};
