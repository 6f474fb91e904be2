/** The control plane: messages in gRPC frames, the envelope of a response, resources. */
import { BLOCK_SIZE, ByteBlocks } from "../../../src/grpc/byte_blocks.ts";
import { MessageAssembler } from "../../../src/grpc/message_frames.ts";
import { MeshState } from "../../../src/mesh/state/state.ts";
import { WireError } from "../../../src/xds/block_reader.ts";
import { ResourceDecoder } from "../../../src/xds/decode.ts";
import { checkResponse, namesOf, removedFrom, resourcesOf } from "../../../src/xds/delta_response.ts";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE, type ResourceType } from "../../../src/xds/resources.ts";
import { makeMesh } from "../../mesh_resources.ts";
import { type FuzzedDecoder, holds } from "../decoder.ts";

const LONGEST_MESSAGE = 100_000;

const grpcFrames: FuzzedDecoder = {
  name: "grpc-frames",
  run(input) {
    const assembler = new MessageAssembler(LONGEST_MESSAGE);
    const messages: ByteBlocks[] = [];
    const half = input.length >> 1;
    if (assembler.push(input.subarray(0, half), messages) === null) assembler.push(input.subarray(half), messages);
    const total = messages.reduce((sum, { length }) => sum + length, 0);
    holds(total <= input.length, "the messages have at most the bytes that were received");
  },
};

const deltaResponse: FuzzedDecoder = {
  name: "xds-response",
  run(input) {
    const blocks: Uint8Array[] = [];
    for (let at = 0; at < input.length; at += BLOCK_SIZE) blocks.push(input.slice(at, at + BLOCK_SIZE));
    const steps = checkResponse(new ByteBlocks(blocks));
    let step = steps.next();
    while (!step.done) step = steps.next();
    const response = step.value;
    if (response instanceof WireError) return;
    holds(response.payloadBytes <= input.length, "the payloads have at most the bytes that were received");
    const count = [...resourcesOf(response)].length;
    holds(count === [...namesOf(response)].length, "each resource has its names");
    for (const _ of removedFrom(response)) void 0;
  },
};

/** A resource, which is then applied to a mesh and removed again where it was accepted. */
function resource(
  name: string,
  type: ResourceType,
  made: () => readonly { readonly body: Uint8Array }[],
): FuzzedDecoder {
  const decoder = new ResourceDecoder(64);
  return {
    name,
    seeds: () => [...golden(type), ...made().map(({ body }) => body)],
    run(input) {
      const decoded = decoder.decode(type, "ns/name", input);
      if (!decoded.ok) return holds(decoded.reason !== "", "a refusal has a reason");
      const mesh = new MeshState("node1");
      mesh.apply([decoded.change]);
      mesh.apply([{ kind: "clear" }]);
    },
  };
}

/** Resources that a real istiod has sent. */
function golden(type: ResourceType): readonly Uint8Array[] {
  const file = new URL("../../../tests/fixtures/golden/xds-wildcard.jsonl", import.meta.url);
  return Deno.readTextFileSync(file).trim().split("\n")
    .flatMap((line) => (JSON.parse(line) as { resources?: { type: string; raw: string }[] }).resources ?? [])
    .filter((each) => each.type === type)
    .map(({ raw }) => Uint8Array.fromBase64(raw));
}

const MESH = { workloads: 6, services: 3, policies: 6 };

/** The decoders of this file. */
export const XDS_DECODERS: readonly FuzzedDecoder[] = [
  grpcFrames,
  deltaResponse,
  resource("xds-address", ADDRESS_TYPE, () => makeMesh(MESH).addresses),
  resource("xds-authorization", AUTHORIZATION_TYPE, () => makeMesh(MESH).policies),
];
