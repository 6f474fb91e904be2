import { strict as assert } from "node:assert";
import { configOf, lines, machine } from "../testkit/machine.ts";
import { checkReach } from "./reach.ts";

const CONFIG = configOf({ XDS_ADDRESS: "https://istiod:15012", CA_ADDRESS: "https://ca:15012", AUTH_TOKEN: "t" });
const ALL = { usesCa: true, unusableRoots: [] };

Deno.test("check: istiod and its CA are reached", async () => {
  assert.deepEqual(lines(await checkReach(CONFIG, ALL, machine())), [
    "ok control plane: https://istiod:15012 is reached and trusted",
    "ok CA: https://ca:15012 is reached and trusted",
  ]);
});

Deno.test("check: no control plane and no CA are used", async () => {
  const found = await checkReach(configOf({ XDS_ADDRESS: "" }), { ...ALL, usesCa: false }, machine());
  assert.deepEqual(lines(found), ["ok control plane: not used"]);
});

Deno.test("check: without usable roots nothing is contacted", async () => {
  const reachProblem = () => Promise.reject(new Error("contacted"));
  const found = await checkReach(
    CONFIG,
    { usesCa: true, unusableRoots: ["XDS_ROOT_CA", "CA_ROOT_CA"] },
    machine({ reachProblem }),
  );
  assert.deepEqual(lines(found), [
    "note control plane: not contacted, as XDS_ROOT_CA cannot be used",
    "note CA: not contacted, as CA_ROOT_CA cannot be used",
  ]);
});

Deno.test("check: a token that would be sent unencrypted is a note", async () => {
  const config = configOf({ XDS_ADDRESS: "http://10.0.0.1:15010", AUTH_TOKEN: "t" });
  assert.deepEqual(lines(await checkReach(config, { ...ALL, usesCa: false }, machine())), [
    "note control plane: token is sent unencrypted to http://10.0.0.1:15010: use https for XDS_ADDRESS",
    "ok control plane: http://10.0.0.1:15010 is reached",
  ]);
});

const CURES: readonly (readonly [problem: string, cure: RegExp])[] = [
  ['dns error: failed to look up "istiod": Name or service not known', /^XDS_ADDRESS must have a name/],
  ["tcp connect error: istiod:15012: Connection refused (os error 111)", /^is the server running there/],
  ["istiod:15012: no answer within 5 s", /NetworkPolicy/],
  ["tls handshake error: invalid peer certificate: no trusted root has issued it", /^XDS_ROOT_CA must be the root/],
  ['tls handshake error: it is for "a", not for "b"', /^set ALT_XDS_HOSTNAME/],
  ["it has expired; the clock of this node says 1970", /NTP/],
  ["something else", /gRPC port of istiod/],
];
for (const [problem, cure] of CURES) {
  Deno.test(`check: the cure where the control plane fails with: ${problem}`, async () => {
    const [found] = await checkReach(
      CONFIG,
      { ...ALL, usesCa: false },
      machine({ reachProblem: () => Promise.resolve(problem) }),
    );
    assert.deepEqual([found!.state, found!.text], ["problem", `https://istiod:15012: ${problem}`]);
    assert.match(found!.cure!, cure);
  });
}
