/** gRPC in all four shapes, with deadlines, cancellations and status details, by Debian's Python and its C core. */
import { strict as assert } from "node:assert";
import { commandName } from "../../lab/commands.ts";
import type { Application } from "../../testkit/applications.ts";

const PORT = 50051;
const SHAPES = new URL("../fixtures/grpc_shapes.py", import.meta.url).pathname;

export const GRPC: Application = {
  name: "gRPC",
  packages: ["python3"],
  mayReset: true, // an answer to a PING may arrive when the client has closed its connection
  async check(run) {
    const python = commandName("python3");
    await run.serve(python, [SHAPES, "serve", run.ip, `${PORT}`], /^listening$/);
    const outcomes = await run.same(`${python} ${SHAPES} call ${run.ip} ${PORT}`);
    assert.equal(outcomes.match(/^deadline.*: DEADLINE_EXCEEDED/gm)?.length, 4, outcomes);
    assert.equal(outcomes.match(/^cancelled.*CANCELLED/gm)?.length, 2, outcomes);
    assert.match(outcomes, /^both, one after the other: True$/m);
  },
};
