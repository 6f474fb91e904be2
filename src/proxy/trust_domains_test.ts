/** Peers of another trust domain than their workload has in the mesh. */
import { strict as assert } from "node:assert";
import { echo, Testbed, workloadAt } from "../dataplane/testkit/testbed.ts";

const CLIENT = "10.0.0.1", SERVER = "10.0.0.2";

/** The result of a call to a server with a certificate of `old.example`, whose workload has `new.example`. */
function call(env: Readonly<Record<string, string>>): { readonly answer: string; readonly line: string } {
  const bed = new Testbed();
  const client = bed.node("client", CLIENT, { trustDomain: "new.example", env });
  bed.node("server", SERVER, { trustDomain: "old.example", env });
  client.plane.applyMesh([workloadAt("server", SERVER, { protocol: "HBONE", trustDomain: "new.example" })]);
  bed.listen(`${SERVER}:8080`, echo);
  const socket = bed.connect(CLIENT, `${SERVER}:8080`);
  socket.send("x");
  bed.run();
  if (socket.fate === "open") socket.end();
  bed.run();
  const outcome = { answer: socket.text, line: client.accessLine };
  bed.assertClean();
  return outcome;
}

Deno.test("xds X210: a peer of another trust domain than its workload is refused", () => {
  const { answer, line } = call({ TRUST_DOMAIN: "new.example" });
  assert.equal(answer, "");
  assert.match(line, /spiffe:\/\/old\.example\/ns\/default\/sa\/server/);
});

Deno.test("a peer with an alias of the mesh's trust domain is accepted", () => {
  const { answer } = call({ TRUST_DOMAIN: "new.example", TRUST_DOMAIN_ALIASES: "old.example" });
  assert.equal(answer, "x");
});

Deno.test("aliases apply to the mesh's trust domain and to no other", () => {
  const { answer } = call({ TRUST_DOMAIN: "third.example", TRUST_DOMAIN_ALIASES: "old.example" });
  assert.equal(answer, "");
});
