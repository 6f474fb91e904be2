/** Random AuthorizationPolicies and PeerAuthentications with every field, odd values and mistakes among them. */
import fc from "fast-check";

/** A Kubernetes object. */
export interface RandomObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string; readonly [key: string]: unknown };
  readonly spec?: unknown;
}

const NAMESPACES = ["istio-system", ...Array.from({ length: 80 }, (_, i) => `ns-${i}`)];
/** Weights of usual values; the rest are odd ones and mistakes. */
const USUAL = 90, ODD = 12, WRONG = 1;

const optional = <T>(values: fc.Arbitrary<T>, chance = 0.35) =>
  fc.option(values, { nil: undefined, freq: Math.max(1, Math.round(chance / (1 - chance) * 4)) });
const few = <T>(values: fc.Arbitrary<T>) => fc.array(values, { minLength: 1, maxLength: 3 });
const weighted = <T>(usual: readonly T[], odd: readonly T[], wrong: readonly T[]) =>
  fc.oneof(
    { arbitrary: fc.constantFrom(...usual), weight: USUAL },
    ...odd.length > 0 ? [{ arbitrary: fc.constantFrom(...odd), weight: ODD }] : [],
    ...wrong.length > 0 ? [{ arbitrary: fc.constantFrom(...wrong), weight: WRONG }] : [],
  );

const PRINCIPAL = weighted(
  ["cluster.local/ns/ns-1/sa/web", "*", "*/sa/web", "cluster.local/*", "cluster.local/ns/ns-2/sa/*"],
  ["**", "a*b", "spiffe://cluster.local/ns/ns-1/sa/web", "*x*", "é", " "],
  [""],
);
const NAMESPACE = weighted(["ns-1", "ns-2", "ns-*", "*-1", "*"], ["*s*", "N S"], [""]);
const ACCOUNT = weighted(["web", "ns-2/web", "ns-1/other"], ["ns.1/we b"], [
  "a/b/c",
  "/web",
  "ns-1/",
  "w*",
  "",
  "x".repeat(321),
]);
const BLOCK = weighted(
  ["10.0.0.0/8", "10.1.2.3", "2001:db8::/32", "fd00::1", "0.0.0.0/0"],
  [
    "10.1.2.3/8",
    "::ffff:10.1.2.3",
    "::ffff:10.0.0.0/104",
    "::10.1.2.3",
    "fe80::1%eth0",
    "FD00::A/16",
    "64:ff9b::1.2.3.4/96",
  ],
  [
    "10.0.0.0/33",
    "10.0.0.1/08",
    "010.0.0.1",
    "1.2.3",
    "fe80::1%eth0/64",
    "::1::2",
    "",
    "10.0.0.0/",
    "1:2:3:4:5:6:7::8",
    "00001::",
  ],
);
const PORT = weighted(["80", "8080", "443"], ["0", "65535", "0080"], ["65536", "-1", "http", "", "8 0", "4294967297"]);
const TEXT = weighted(["GET", "/a*", "*.example.com"], ["*", "{x}"], [""]);
const DOMAIN = weighted(["cluster.local", "*.local", "td*"], ["*"], ["a/b", "a*b", "", "*a*"]);

const SOURCE = fc.record({
  principals: optional(few(PRINCIPAL)),
  notPrincipals: optional(few(PRINCIPAL)),
  namespaces: optional(few(NAMESPACE)),
  notNamespaces: optional(few(NAMESPACE), 0.2),
  ipBlocks: optional(few(BLOCK)),
  notIpBlocks: optional(few(BLOCK), 0.2),
  remoteIpBlocks: optional(few(BLOCK), 0.05),
  notRemoteIpBlocks: optional(few(BLOCK), 0.05),
  requestPrincipals: optional(few(TEXT), 0.05),
  notRequestPrincipals: optional(few(TEXT), 0.05),
  trustDomains: optional(few(DOMAIN), 0.05),
});
const ACCOUNTS = fc.record({
  serviceAccounts: optional(few(ACCOUNT), 0.7),
  notServiceAccounts: optional(few(ACCOUNT)),
  ipBlocks: optional(few(BLOCK)),
  notTrustDomains: optional(few(DOMAIN), 0.05),
});
const OPERATION = fc.record({
  ports: optional(few(PORT), 0.7),
  notPorts: optional(few(PORT)),
  methods: optional(few(TEXT), 0.05),
  notMethods: optional(few(TEXT), 0.03),
  hosts: optional(few(TEXT), 0.05),
  notHosts: optional(few(TEXT), 0.03),
  paths: optional(few(fc.constantFrom("/a", "/b/*")), 0.05),
  notPaths: optional(few(fc.constantFrom("/a", "/b/*")), 0.03),
});

const lists = (values: fc.Arbitrary<string>) => ({
  values: optional(few(values), 0.8),
  notValues: optional(few(values)),
});
const conditionOn = (key: fc.Arbitrary<string>, values: fc.Arbitrary<string>) => fc.record({ key, ...lists(values) });
const CONDITION = fc.oneof(
  { arbitrary: conditionOn(fc.constant("source.ip"), BLOCK), weight: 6 },
  { arbitrary: conditionOn(fc.constant("destination.ip"), BLOCK), weight: 6 },
  { arbitrary: conditionOn(fc.constant("destination.port"), PORT), weight: 6 },
  { arbitrary: conditionOn(fc.constant("source.namespace"), NAMESPACE), weight: 6 },
  { arbitrary: conditionOn(fc.constant("source.principal"), PRINCIPAL), weight: 6 },
  { arbitrary: conditionOn(fc.constant("source.serviceAccount"), ACCOUNT), weight: 1 },
  { arbitrary: conditionOn(fc.constant("source.trustDomain"), DOMAIN), weight: 1 },
  { arbitrary: conditionOn(fc.constant("remote.ip"), BLOCK), weight: 1 },
  {
    arbitrary: conditionOn(
      fc.constantFrom("request.headers[x]", "request.auth.claims[iss]", "request.auth.principal", "connection.sni"),
      TEXT,
    ),
    weight: 2,
  },
  {
    arbitrary: conditionOn(
      fc.constantFrom(
        "destination.labels[a]",
        "request.headers",
        "request.headers[]",
        "nonsense",
        "",
        "destination.name",
      ),
      TEXT,
    ),
    weight: 1,
  },
);

const RULE = fc.record({
  from: optional(few(fc.record({ source: fc.oneof(SOURCE, ACCOUNTS) })), 0.5),
  to: optional(few(fc.record({ operation: OPERATION })), 0.5),
  when: optional(fc.array(CONDITION, { maxLength: 2 }), 0.4),
});

const LABELS = fc.constantFrom<Record<string, string>>(
  { app: "web" },
  { app: "other" },
  { app: "web", version: "v1" },
  { version: "v2" },
  {},
);
const SELECTOR = fc.oneof(
  { arbitrary: LABELS.map((matchLabels) => ({ matchLabels })), weight: 20 },
  { arbitrary: fc.constantFrom<object>({}, { matchLabels: { "app": "w*" } }, { matchLabels: { "": "x" } }), weight: 1 },
);

const metadata = (more: object = {}) => fc.record({ namespace: fc.constantFrom(...NAMESPACES), ...more });

const AUTHORIZATION = fc.record({
  metadata: metadata({
    annotations: optional(
      fc.constantFrom("true", "false", "T", "yes", "").map((value) => ({ "istio.io/dry-run": value })),
      0.1,
    ),
  }),
  spec: optional(
    fc.record({
      action: optional(weighted<string>(["ALLOW", "DENY"], ["AUDIT"], ["CUSTOM"]), 0.7),
      selector: optional(SELECTOR, 0.4),
      targetRefs: optional(
        few(fc.constantFrom<object>(
          { kind: "Service", group: "", name: "web" },
          { kind: "Gateway", group: "gateway.networking.k8s.io", name: "w" },
          { kind: "Pod", group: "", name: "x" },
          { kind: "Service", group: "" },
        )),
        0.03,
      ),
      provider: optional(fc.constant({ name: "opa" }), 0.02),
      rules: optional(
        fc.array(fc.oneof({ arbitrary: RULE, weight: 20 }, { arbitrary: fc.constant({}), weight: 1 }), {
          minLength: 1,
          maxLength: 3,
        }),
        0.95,
      ),
    }),
    0.98,
  ),
});

const MODE = weighted<string>(["STRICT", "PERMISSIVE", "DISABLE", "UNSET"], [], ["strict"]);
const TLS = fc.oneof({ arbitrary: MODE.map((mode) => ({ mode })), weight: 9 }, {
  arbitrary: fc.constant({}),
  weight: 1,
});
const PEER = fc.record({
  metadata: metadata(),
  spec: optional(
    fc.record({
      selector: optional(SELECTOR, 0.75),
      mtls: optional(TLS, 0.75),
      portLevelMtls: optional(
        fc.dictionary(weighted(["80", "8080", "9090"], ["1"], ["0", "65536"]), TLS, { minKeys: 1, maxKeys: 3 }),
        0.5,
      ),
    }),
    0.95,
  ),
});

/** So many objects of each kind, the same ones for the same seed. */
export function randomPolicies(
  count: { readonly authorization: number; readonly peer: number },
  seed: number,
): RandomObject[] {
  const authorization = fc.sample(AUTHORIZATION, { numRuns: count.authorization, seed });
  const peer = fc.sample(PEER, { numRuns: count.peer, seed });
  const object =
    (kind: string, prefix: string) => ({ metadata, spec }: { metadata: object; spec: unknown }, i: number) => {
      const named = { ...metadata, name: `${prefix}-${i}` };
      return JSON.parse(
        JSON.stringify({ apiVersion: "security.istio.io/v1", kind, metadata: named, spec }),
      ) as RandomObject;
    };
  return [
    ...authorization.map(object("AuthorizationPolicy", "a")),
    ...peer.map(object("PeerAuthentication", "p")),
  ];
}

/** The namespaces of {@link randomPolicies}. */
export const RANDOM_NAMESPACES: readonly string[] = NAMESPACES;
