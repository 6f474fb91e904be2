/** The authority contract, for all ways of attestation. */
import { SpireRig } from "../../../testkit/spire/rig.ts";
import { subjectOf } from "../../../testkit/spire/source.ts";
import { type AuthorityBench, certificateAuthorityContract } from "../../identity/testkit/authority_contract.ts";

async function setUp(attestation: "pid" | "selectors" | "pod_selectors"): Promise<AuthorityBench> {
  const rig = await SpireRig.start({ variables: { SPIRE_ATTESTATION: attestation } });
  for (const [i, name] of ["one", "two", "three"].entries()) rig.addPod(`uid-${name}`, 100 + i, name);
  for (const name of ["one", "two"]) rig.agent.addAccount("default", name);
  return {
    authority: rig.authority,
    subjects: [subjectOf("one", "uid-one"), subjectOf("two", "uid-two")],
    refused: subjectOf("three", "uid-three"),
    now: Date.now,
    tearDown: () => rig[Symbol.asyncDispose](),
  };
}

for (const attestation of ["pid", "selectors", "pod_selectors"] as const) {
  certificateAuthorityContract(`SPIRE by ${attestation}`, () => setUp(attestation));
}
