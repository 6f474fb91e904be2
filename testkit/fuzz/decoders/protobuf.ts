/** Messages of authorities, container runtimes and agents, by the generated code and what reads its values. */
import { spiffe } from "../../../proto/gen/broker.js";
import { istio } from "../../../proto/gen/ca.js";
import { runtime } from "../../../proto/gen/cri.js";
import { X509SVIDResponse } from "../../../proto/gen/workload_api.js";
import { brokerMessage } from "../../../src/authorities/broker/broker_api.ts";
import { pidOfContainer } from "../../../src/authorities/cri/container_info.ts";
import { parseSignedChain } from "../../../src/authorities/istio/signed_chain.ts";
import { readBundles } from "../../../src/authorities/spire/bundles.ts";
import { readBundlesMessage, readSvidsMessage } from "../../../src/authorities/spire/delegated_api.ts";
import { readSvid } from "../../../src/authorities/spire/svid.ts";
import { CertificateError } from "../../../src/identity/authority.ts";
import { parseSpiffeId, type SpiffeId } from "../../../src/identity/spiffe_id.ts";
import { decodeRequest } from "../../../src/inpod/zds_message.ts";
import { type FuzzedDecoder, holds } from "../decoder.ts";

const ID = parseSpiffeId("spiffe://cluster.local/ns/shop/sa/cart") as SpiffeId;
const noWarning = () => {};

/** Decodes by generated code, whose errors are of no certain class; null: it has refused the input. */
function generated<T>(decode: (input: Uint8Array) => T, input: Uint8Array): T | null {
  try {
    return decode(input);
  } catch (error) {
    holds(error instanceof Error && !/call stack|memory|array length/.test(error.message), `refused by ${error}`);
    return null;
  }
}

const zds: FuzzedDecoder = {
  name: "zds",
  run(input) {
    for (const length of [0, 1]) {
      const request = decodeRequest({ bytes: input, descriptors: { length }, truncated: false });
      if ("error" in request) holds(request.error !== "", "a refusal has a reason");
    }
  },
};

const istioCa: FuzzedDecoder = {
  name: "istio-ca",
  run(input) {
    const response = generated((bytes) => istio.v1.auth.IstioCertificateResponse.decode(bytes), input);
    if (response === null) return;
    try {
      const { chain, roots } = parseSignedChain(response.certChain, ID, noWarning);
      holds(chain.length > 0 && roots.length > 0, "an accepted answer has a leaf and a root");
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error;
    }
  },
};

const spireSvids: FuzzedDecoder = {
  name: "spire-svids",
  // 70 KB can have 35,000 empty SVIDs, each of which is refused by an error of its own.
  maxMillis: 1000,
  run(input) {
    const message = readSvidsMessage(input);
    if (message instanceof CertificateError) return;
    for (const svid of message.svids) readSvid(svid, ID);
  },
};

const spireBundles: FuzzedDecoder = {
  name: "spire-bundles",
  run(input) {
    const message = readBundlesMessage(input);
    if (!(message instanceof CertificateError)) readBundles(message, noWarning);
  },
};

const broker: FuzzedDecoder = {
  name: "spiffe-broker",
  maxMillis: 1000,
  run(input) {
    const message = generated((bytes) => spiffe.broker.SubscribeToX509SVIDResponse.decode(bytes), input);
    const read = message === null ? null : brokerMessage(message, noWarning);
    if (read === null || read instanceof CertificateError) return;
    for (const svid of read.svids) readSvid(svid, ID);
  },
};

const workloadApi: FuzzedDecoder = {
  name: "workload-api",
  run: (input) => void generated((bytes) => X509SVIDResponse.decode(bytes), input),
};

const cri: FuzzedDecoder = {
  name: "cri",
  run(input) {
    const status = generated((bytes) => runtime.v1.ContainerStatusResponse.decode(bytes), input);
    if (status !== null) pidOfContainer("c", status.info);
    generated((bytes) => runtime.v1.ContainerEventResponse.decode(bytes), input);
    generated((bytes) => runtime.v1.ListPodSandboxResponse.decode(bytes), input);
  },
};

/** The decoders of this file. */
export const PROTOBUF_DECODERS: readonly FuzzedDecoder[] = [
  zds,
  istioCa,
  spireSvids,
  spireBundles,
  broker,
  workloadApi,
  cri,
];
