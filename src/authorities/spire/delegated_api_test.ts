import { strict as assert } from "node:assert";
import fc from "fast-check";
import { spire } from "../../../proto/gen/spire.js";
import { spireCa } from "../../../testkit/spire/ca.ts";
import { CertificateError } from "../../identity/authority.ts";
import type { SpiffeId } from "../../identity/spiffe_id.ts";
import { readBundlesMessage, readSvidsMessage } from "./delegated_api.ts";
import { interpretMessage } from "./interpret_message.ts";
import { WORDS } from "../../../testkit/spire/source.ts";

const api = spire.api.agent.delegatedidentity.v1;
const ID = "spiffe://example.org/ns/default/sa/test-sa" as SpiffeId;
const { chain, key } = spireCa("example.org").issue("/ns/default/sa/test-sa");

const message = api.SubscribeToX509SVIDsResponse.encode({
  x509Svids: [{
    x509Svid: { certChain: chain, id: { trustDomain: "example.org", path: "/ns/default/sa/test-sa" } },
    x509SvidKey: key,
  }],
  federatesWith: ["spiffe://other.test"],
}).finish();

function kindOf(bytes: Uint8Array): string {
  const read = readSvidsMessage(bytes);
  return read instanceof CertificateError
    ? read.code
    : interpretMessage(read, ID, WORDS, "PID 1", null, Date.now()).kind;
}

Deno.test("identity 4.2: a message of the agent", () => {
  const read = readSvidsMessage(message);
  assert.ok(!(read instanceof CertificateError));
  assert.deepEqual(read.svids.map(({ id }) => id), [ID]);
  assert.deepEqual(read.federatesWith, ["spiffe://other.test"]);
  assert.equal(kindOf(message), "new");
  assert.equal(kindOf(api.SubscribeToX509SVIDsResponse.encode({ x509Svids: [{}] }).finish()), "absent");
  assert.equal(kindOf(new Uint8Array()), "absent");
});

Deno.test("identity S27: no bytes of an agent throw, random or mutated", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
    kindOf(bytes);
    readBundlesMessage(bytes);
  }));
  fc.assert(fc.property(fc.nat(message.length - 1), fc.nat(255), fc.nat(message.length), (at, byte, length) => {
    const mutated = message.slice();
    mutated[at] = byte;
    kindOf(mutated);
    kindOf(mutated.subarray(0, length));
    readBundlesMessage(mutated);
  }));
});
