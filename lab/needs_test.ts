import { strict as assert } from "node:assert";
import { type Lack, lacks, type Machine, plan, testNeeding } from "./needs.ts";

const no = () => false;
const yes = () => true;
const bare: Machine = {
  uid: 1000,
  canMakeNamespaces: no,
  canMakeTun: no,
  refusesControlGroups: () => "Read-only file system",
  has: no,
  prints: () => "",
  hasFile: no,
  env: () => undefined,
};
const full: Machine = {
  uid: 0,
  canMakeNamespaces: yes,
  canMakeTun: yes,
  refusesControlGroups: () => null,
  has: yes,
  prints: () => "ip utility, iproute2-6.1.0",
  hasFile: yes,
  env: () => "x",
};
const all = {
  packages: ["nginx", "ip"],
  headers: ["/usr/include/zlib.h"],
  root: true,
  namespaces: true,
  tun: true,
  controlGroups: true,
  env: ["ZTUNNEL_PEER"],
  go: true,
} as const;

Deno.test("needs: a full machine lacks nothing", () => {
  assert.deepEqual(lacks(all, full), []);
});

Deno.test("needs: each lack has its reason, its cure, and whether CI has to provide it", () => {
  assert.deepEqual(lacks(all, bare).map(({ reason, duty }) => [reason, duty]), [
    ["nginx is missing", true],
    ["ip is missing", true],
    ["/usr/include/zlib.h is missing", true],
    ["not root", true],
    ["/dev/net/tun cannot be opened", false],
    ["control groups cannot be made (Read-only file system)", false],
    ["ZTUNNEL_PEER is not set", false],
    ["go is missing", false],
  ]);
  assert.equal(lacks({ packages: ["dig"] }, bare)[0]?.cure, "apt-get install dnsutils");
});

Deno.test("needs: root without the right to make namespaces is a skip everywhere", () => {
  const missing = lacks({ namespaces: true }, { ...full, canMakeNamespaces: () => false });
  assert.deepEqual(missing.map(({ reason, duty }) => [reason, duty]), [[
    "network namespaces are not permitted",
    false,
  ]]);
});

const required: Lack = { reason: "nginx is missing", cure: "apt-get install nginx-full", duty: true };
const optional: Lack = { reason: "ZTUNNEL_PEER is not set", cure: "set it", duty: false };

Deno.test("needs: a test runs, is skipped with reason and cure, or fails in CI", () => {
  const fn = () => {};
  assert.deepEqual(plan([], "t", fn, true), { name: "t", fn });
  const skipped = plan([required, optional], "t", fn, false);
  assert.equal(skipped.ignore, true);
  assert.equal(
    skipped.name,
    "t [skipped: nginx is missing; apt-get install nginx-full, ZTUNNEL_PEER is not set; set it]",
  );
  assert.equal(plan([optional], "t", fn, true).ignore, true);
  const failing = plan([required], "t", fn, true);
  assert.equal(failing.ignore, undefined);
  assert.throws(() => failing.fn({} as Deno.TestContext), /Cannot run in CI: nginx is missing/);
});

testNeeding({}, "needs: a test without needs runs", () => {});
