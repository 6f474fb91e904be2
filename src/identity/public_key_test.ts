import { strict as assert } from "node:assert";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import fc from "fast-check";
import * as der from "./der_write.ts";
import { Oid } from "./oids.ts";
import { publicKeyProblem } from "./public_key.ts";

const ec = (namedCurve: string) => generateKeyPairSync("ec", { namedCurve }).publicKey;
const rsa = (modulusLength: number) => generateKeyPairSync("rsa", { modulusLength }).publicKey;
const spki = (key: KeyObject) => new Uint8Array(key.export({ format: "der", type: "spki" }));

const cases: readonly [what: string, key: Uint8Array, problem: RegExp | null][] = [
  ["P-256", spki(ec("P-256")), null],
  ["P-384", spki(ec("P-384")), null],
  ["P-521", spki(ec("P-521")), null],
  ["RSA 2048", spki(rsa(2048)), null],
  ["Ed25519", spki(generateKeyPairSync("ed25519").publicKey), null],
  ["RSA 1024", spki(rsa(1024)), /^RSA key of 1024 bits is too short/],
  ["X25519, which signs nothing", spki(generateKeyPairSync("x25519").publicKey), /algorithm 1\.3\.101\.110 is not/],
  ["secp256k1", curve(der.oid("1.3.132.0.10")), /^elliptic curve 1\.3\.132\.0\.10 is not allowed/],
  ["a curve by its parameters", curve(der.sequence(der.smallInteger(1))), /^elliptic curve none that has a name/],
  ["DSA", algorithm(der.oid("1.2.840.10040.4.1")), /algorithm 1\.2\.840\.10040\.4\.1 is not allowed/],
  ["RSA without a modulus", algorithm(der.oid(Oid.RSA)), /^public key is malformed/],
  ["nothing", new Uint8Array(), /^public key is malformed/],
];

function algorithm(...fields: Uint8Array[]): Uint8Array {
  return der.sequence(der.sequence(...fields), der.bitString(Uint8Array.of(4, 1, 2)));
}

function curve(parameters: Uint8Array): Uint8Array {
  return algorithm(der.oid(Oid.EC_PUBLIC_KEY), parameters);
}

for (const [what, key, problem] of cases) {
  Deno.test(`public key, identity 6.1: ${what}`, () => {
    if (problem === null) assert.equal(publicKeyProblem(key), null);
    else assert.match(publicKeyProblem(key) ?? "", problem);
  });
}

Deno.test("property: publicKeyProblem never throws", () => {
  const keys = cases.map(([, key]) => key).filter((key) => key.length > 0);
  fc.assert(fc.property(fc.constantFrom(...keys), fc.nat(), fc.nat(255), (key, at, value) => {
    const mutated = key.slice();
    mutated[at % mutated.length] = value;
    publicKeyProblem(mutated);
  }));
});
