import { strict as assert } from "node:assert";
import fc from "fast-check";
import { type Baggage, baggageOf, NO_BAGGAGE, parseBaggage } from "./baggage.ts";
import { socket, workload } from "../testkit/fixture.ts";
import { formatForwarded, parseForwardedHost } from "./forwarded.ts";
import { isTraceparent, newTraceparent, traceIdOf } from "./traceparent.ts";

const FIVE = [
  "k8s.cluster.name=K1",
  "k8s.namespace.name=NS1",
  "k8s.deployment.name=N1",
  "service.name=N2",
  "service.version=V1",
];
const FIVE_PARSED: Baggage = {
  ...NO_BAGGAGE,
  clusterId: "K1",
  namespace: "NS1",
  workloadName: "N1",
  canonicalName: "N2",
  canonicalRevision: "V1",
};

const PARSED: readonly [string, readonly string[], Partial<Baggage>][] = [
  ["dataplane HD-11, xds X294", [FIVE.join(",")], FIVE_PARSED],
  ["dataplane HD-12, xds X295", [FIVE.map((each) => each.replace(/=.*/, "=")).join(",")], {}],
  ["dataplane HD-13, xds X296", FIVE, FIVE_PARSED],
  ["dataplane HD-14, xds X297", [], {}],
  ["xds X300", ["service.name=a=b"], { canonicalName: "a" }],
  ["xds X301", ["service.name=a,service.name="], {}],
  ["xds X302", ["service.name=a, service.version=b"], { canonicalName: "a" }],
  ["xds X303", ["k8s.job.name=j"], { workloadName: "j" }],
  ["xds X305, dataplane IN-28", [
    "k8s.cluster.name=test-cluster,k8s.namespace.name=test-ns,k8s.deployment.name=test-app",
  ], { clusterId: "test-cluster", namespace: "test-ns", workloadName: "test-app" }],
  ["xds 6.2: the last one wins", ["k8s.pod.name=p", "k8s.cronjob.name=c"], { workloadName: "c" }],
  ["xds 6.2: unknown keys and members without a value", ["x=1,service.name,__proto__=2,cloud.region=r"], {
    region: "r",
  }],
  ["xds 6.2: properties stay in the value", ["cloud.availability_zone=z;p=1"], { zone: "z;p" }],
  ["xds 6.2: one line that is not ASCII spoils all", ["service.name=a", "cloud.region=\u00e4"], {}],
];

for (const [id, lines, expected] of PARSED) {
  Deno.test(`${id}: baggage`, () => assert.deepEqual(parseBaggage(lines), { ...NO_BAGGAGE, ...expected }));
}

Deno.test("dataplane HD-15, xds X298: baggage without fields", () => {
  const text = baggageOf(workload({ clusterId: "" }).workload);
  assert.equal(text, "");
  assert.deepEqual(parseBaggage([text]), NO_BAGGAGE);
});

Deno.test("dataplane HD-16, xds X299, X304: baggage is written and parsed back", () => {
  const { workload: who } = workload({
    clusterId: "cluster",
    namespace: "default",
    workloadName: "workload",
    canonicalName: "service",
  });
  assert.deepEqual(parseBaggage([baggageOf(who)]), {
    ...NO_BAGGAGE,
    clusterId: "cluster",
    namespace: "default",
    workloadName: "workload",
    canonicalName: "service",
  });
  assert.equal(baggageOf(workload({}).workload), "k8s.cluster.name=Kubernetes");
});

Deno.test("xds X306: order and names of members", () => {
  const { workload: who } = workload({
    clusterId: "C",
    namespace: "N",
    workloadType: "pod",
    workloadName: "W",
    canonicalName: "S",
    canonicalRevision: "R",
    locality: { region: "G", zone: "Z", subzone: "ignored" },
  });
  assert.equal(
    baggageOf(who),
    "k8s.cluster.name=C,k8s.namespace.name=N,k8s.pod.name=W,service.name=S,service.version=R,cloud.region=G," +
      "cloud.availability_zone=Z",
  );
  assert.equal(baggageOf(who), baggageOf(who));
});

Deno.test("values that would break the baggage header are left out", () => {
  const { workload: who } = workload({
    clusterId: "C,service.name=forged",
    namespace: "N\r\nx: y",
    workloadName: "\u00e4",
    canonicalName: "S",
  });
  assert.equal(baggageOf(who), "service.name=S");
});

Deno.test("parsing any baggage does not throw", () => {
  fc.assert(fc.property(fc.array(fc.string({ unit: "binary", maxLength: 60 }), { maxLength: 4 }), (lines) => {
    parseBaggage(lines);
  }));
});

const HOSTS: readonly [string, string | null, string | null][] = [
  ["dataplane HD-01, xds X310", "by=identifier;for=identifier;host=example.com;proto=https", "example.com"],
  ["dataplane HD-02, xds X311", 'by=identifier;for=identifier;host="example.com";proto=https', "example.com"],
  ["dataplane HD-03, xds X312", "by=identifier;for=identifier", null],
  ["dataplane HD-04, xds X312", "for=x;host=", null],
  ["dataplane HD-05, xds X313", 'host=example.com;proto="pr\u00f6to"', null],
  ["xds 6.3: no header", null, null],
  ["xds 6.3: the first host", "host=a ; host=b", "a"],
  ["xds 6.3: an empty pair of quotes", 'host=""', null],
];

for (const [id, value, expected] of HOSTS) {
  Deno.test(`${id}: forwarded ${value}`, () => assert.equal(parseForwardedHost(value), expected));
}

Deno.test("dataplane HD-06 to HD-08, xds X307 to X309: the forwarded header that is sent", () => {
  assert.equal(formatForwarded(socket("127.0.0.1:80"), null), 'for="127.0.0.1:80"');
  assert.equal(formatForwarded(socket("[::1]:80"), null), 'for="[::1]:80"');
  assert.equal(formatForwarded(socket("127.0.0.1:80"), "example.com"), 'for="127.0.0.1:80";host=example.com');
  assert.equal(formatForwarded(socket("127.0.0.1:80"), 'a";b'), 'for="127.0.0.1:80"');
});

Deno.test("parsing any forwarded header does not throw", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (value) => {
    const host = parseForwardedHost(value);
    assert.notEqual(host, "");
  }));
});

Deno.test("dataplane 2.4: a new traceparent", () => {
  const fill = (bytes: Uint8Array) => bytes.forEach((_, i) => bytes[i] = i);
  const text = newTraceparent(fill, () => false);
  assert.equal(text, "00-000102030405060708090a0b0c0d0e0f-1011121314151617-00");
  assert.equal(isTraceparent(text), true);
  const sampled = newTraceparent(fill, (id) => id === "000102030405060708090a0b0c0d0e0f");
  assert.equal(sampled, "00-000102030405060708090a0b0c0d0e0f-1011121314151617-01");
});

const TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

Deno.test("dataplane HD-17: the trace id of a traceparent", () => {
  assert.equal(isTraceparent(TRACEPARENT), true);
  assert.equal(traceIdOf(TRACEPARENT), "0af7651916cd43dd8448eb211c80319c");
});

const INVALID: Readonly<Record<string, string>> = {
  "54 bytes": TRACEPARENT.slice(0, 54),
  "56 bytes": `${TRACEPARENT}0`,
  "nothing": "",
  "a digit that is none": TRACEPARENT.replace("0af7", "0ag7"),
  "capitals": TRACEPARENT.toUpperCase(),
  "another separator": TRACEPARENT.replaceAll("-", "_"),
  "fields of other lengths": "000-af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  "fewer separators": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333100f",
  "a trace id of zeros": `00-${"0".repeat(32)}-b7ad6b7169203331-01`,
  "a parent id of zeros": `00-0af7651916cd43dd8448eb211c80319c-${"0".repeat(16)}-01`,
  "version ff": TRACEPARENT.replace("00-", "ff-"),
  "a line feed": `${TRACEPARENT.slice(0, 54)}\n`,
};
for (const [what, text] of Object.entries(INVALID)) {
  Deno.test(`dataplane HD-18: an invalid traceparent: ${what}`, () => assert.equal(isTraceparent(text), false));
}
