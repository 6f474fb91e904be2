import { strict as assert } from "node:assert";
import { encodePem } from "../../identity/pem.ts";
import { makeCa } from "../../identity/testkit/certificates.ts";
import { configOf, lines, machine, NOW } from "../testkit/machine.ts";
import { checkRoots } from "./roots.ts";

const DAY = 86_400_000;
const FILE = { kind: "file", path: "/root.pem" } as const;
const USED = [{ setting: "XDS_ROOT_CA", roots: FILE }, { setting: "CA_ROOT_CA", roots: FILE }];

function pem(from: number, to: number): string {
  return encodePem(
    "CERTIFICATE",
    makeCa("Root", { notBefore: NOW + from * DAY, notAfter: NOW + to * DAY }).certificate,
  );
}

function check(text: string | null, config = configOf({})): { found: string[]; unusable: readonly string[] } {
  const { findings, unusable } = checkRoots(USED, config, machine({}, text === null ? {} : { "/root.pem": text }));
  return { found: lines(findings), unusable };
}

Deno.test("check: roots that both settings name are one line, with the end of the last one", () => {
  assert.deepEqual(check(pem(-1, 1) + pem(-1, 10)), {
    found: [
      "ok XDS_ROOT_CA, CA_ROOT_CA: /root.pem: 2, valid until 2026-06-11T00:00:00.000Z",
      "ok clock: 2026-06-01T00:00:00.000Z",
    ],
    unusable: [],
  });
});

const UNUSABLE: readonly (readonly [what: string, text: string | null, found: RegExp])[] = [
  [
    "missing",
    null,
    /^problem .*\/root\.pem: No such file .*cure: mount the roots of istiod there .* or set XDS_ROOT_CA/,
  ],
  ["no PEM", "hello", /^problem .*\/root\.pem has no usable certificate; cure: /],
  ["a damaged certificate", encodePem("CERTIFICATE", new Uint8Array(9)), /has no usable certificate; cure: /],
  ["expired", pem(-9, -1), /all certificates have expired, the last one at 2026-05-31T00:00:00\.000Z; cure: /],
];
for (const [what, text, found] of UNUSABLE) {
  Deno.test(`check: roots that are ${what} are a problem, and nothing is contacted with them`, () => {
    const checked = check(text);
    assert.match(checked.found[0]!, found);
    assert.deepEqual(checked.unusable, ["XDS_ROOT_CA", "CA_ROOT_CA"]);
  });
}

Deno.test("check: the system's roots, and roots as text", () => {
  const roots = { kind: "pem", pem: pem(-1, 10) } as const;
  const used = [{ setting: "XDS_ROOT_CA", roots: { kind: "system" } as const }, { setting: "CA_ROOT_CA", roots }];
  assert.deepEqual(lines(checkRoots(used, configOf({}), machine()).findings).slice(0, 2), [
    "ok XDS_ROOT_CA: the system's root certificates",
    "ok CA_ROOT_CA: its PEM text: 1, valid until 2026-06-11T00:00:00.000Z",
  ]);
});

Deno.test("check: roots from the future show a wrong clock", () => {
  assert.match(
    check(pem(1, 10)).found.at(-1)!,
    /^problem clock: it is 2026-06-01.* here, and a certificate of .* is valid from 2026-06-02.* on; cure: synchronize/,
  );
});

Deno.test("check: a token from the future shows a wrong clock", () => {
  const token = `e30.${btoa(JSON.stringify({ iat: NOW / 1000 + 3600 }))}.x`;
  const texts = { "./var/run/secrets/tokens/istio-token": token };
  const { findings } = checkRoots([], configOf({}, texts), machine({}, texts));
  assert.match(lines(findings)[0]!, /^problem clock: .*the token is valid from 2026-06-01T01:00:00\.000Z on/);
});
