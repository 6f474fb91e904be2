/**
 * A peer of the mesh whose requests each have other labels in their baggage: `labels.ts FOLDER HOST PORT COUNT`. FOLDER
 * is where `handshake_peer.ts serve` wrote its certificates. Prints `done` when COUNT calls have been answered.
 */
import { encodePem } from "../src/identity/pem.ts";
import { baggageBlock, headers } from "../testkit/attacks/frames.ts";
import { Peer } from "../testkit/attacks/peer.ts";

const INBOUND_PORT = 15008;
/** Requests at a time. */
const CALLS = 50;

const [folder = "", host = "", port = "", count] = Deno.args;
const { peer: encoded } = JSON.parse(Deno.readTextFileSync(`${folder}/credentials.json`));
const credentials = {
  cert: encodePem("CERTIFICATE", Uint8Array.fromBase64(encoded.leaf)),
  key: encodePem("PRIVATE KEY", Uint8Array.fromBase64(encoded.key)),
};
await using peer = await Peer.connect({ host, port: INBOUND_PORT, credentials });
for (let done = 0; done < Number(count); done += CALLS) {
  const ids = Array.from({ length: CALLS }, () => peer.newId());
  for (const id of ids) peer.send(headers(id, baggageBlock(`${host}:${port}`, id), true));
  if (!await peer.until(() => ids.every((id) => peer.stream(id).status !== null))) throw new Error("the peer was cut");
}
console.log("done");
