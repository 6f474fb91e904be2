/** The clock of a node is set, by hand or by a broken time server, and later it is right again. */
import { strict as assert } from "node:assert";
import { echo, Testbed } from "../dataplane/testkit/testbed.ts";

const CLIENT = "10.0.0.1", SERVER = "10.0.0.2", APP = `${SERVER}:8080`;
const HOUR = 3_600_000;
/** Beyond the end of all certificates. */
const TOO_LATE = 48 * HOUR;

/** What a caller's log says while the clock of a node is ahead. */
const REASONS = {
  client: /sa\/server expired at 2026-01-02T00:00:00.000Z; the clock of this node says 2026-01-03T02:00:00.000Z/,
  server: /alert bad certificate/,
} as const;

for (const which of ["client", "server"] as const) {
  for (const error of [-TOO_LATE, TOO_LATE]) {
    Deno.test(`clock: the ${which}'s is wrong by ${error / HOUR} h: open connections go on, new ones work when it is right`, () => {
      const bed = new Testbed();
      const nodes = { client: bed.node("client", CLIENT), server: bed.node("server", SERVER) };
      bed.listen(APP, echo);
      const held = bed.connect(CLIENT, APP).send("before");
      bed.run();
      nodes[which].clockError = error;
      held.send("-during");
      // Longer than the interval in which connections check the expiry of certificates.
      bed.advance(2 * HOUR);
      assert.equal(held.text, "before-during");
      const meanwhile = bed.connect(CLIENT, APP).send("meanwhile");
      bed.run();
      if (error < 0) assert.equal(meanwhile.end().text, "meanwhile");
      else {
        assert.equal(meanwhile.fate, "reset");
        assert.match(nodes.client.access.at(-1)!, REASONS[which]);
      }
      nodes[which].clockError = 0;
      // Longer than the pause after a failed attempt.
      bed.advance(2000);
      const after = bed.connect(CLIENT, APP).send("after");
      held.send("-after");
      bed.run();
      assert.deepEqual([held.text, after.text], ["before-during-after", "after"]);
      for (const socket of [held, after]) socket.end();
      bed.assertClean();
    });
  }
}
