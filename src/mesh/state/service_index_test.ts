import { strict as assert } from "node:assert";
import type { MeshChange } from "../model/changes.ts";
import { parseCidr } from "../model/cidr.ts";
import { ip, service, type ServiceFields, stateOf } from "../testkit/fixture.ts";

/** A service with the default host name `svc`; `cidrs` are `network/block`. */
function svc(namespace: string, fields: ServiceFields & { readonly cidrs?: readonly string[] }): MeshChange {
  const { cidrs = [], ...rest } = fields;
  const cidrVips = cidrs.map((text) => {
    const slash = text.indexOf("/");
    return { network: text.slice(0, slash), cidr: parseCidr(text.slice(slash + 1))! };
  });
  return service({ namespace, hostname: "svc", ...rest, cidrVips });
}

interface Case {
  readonly id: string;
  readonly services: readonly MeshChange[];
  /** `address [client namespace]`, or `host:name [client namespace]`, to `namespace/hostname`; null: none. */
  readonly finds: Record<string, string | null>;
  readonly sizes?: { readonly vips: number; readonly services: number };
}

const A = svc("ns-a", { vips: ["/10.0.0.1", "/10.0.0.2"] });
const B = svc("ns-b", { vips: ["/10.0.0.1", "/10.0.0.3"] });
const without = (name: string): MeshChange => ({ kind: "remove-address", name });
const WIDE_LOCAL = svc("ns-local", { cidrs: ["/10.0.0.0/16"] });
const NARROW_GLOBAL = svc("istio-system", { cidrs: ["/10.0.0.0/24"] });

const CASES: readonly Case[] = [
  {
    id: "xds X110 to X114",
    services: [A, B],
    finds: {
      "10.0.0.1 ns-a": "ns-a/svc",
      "10.0.0.1 ns-b": "ns-b/svc",
      "10.0.0.2 ns-b": "ns-a/svc",
      "10.0.0.3 ns-a": "ns-b/svc",
      "10.0.0.1": "ns-a/svc",
    },
    sizes: { vips: 3, services: 2 },
  },
  {
    id: "xds X115",
    services: [A, B, without("ns-a/svc")],
    finds: { "10.0.0.1": "ns-b/svc", "10.0.0.2": null },
    sizes: { vips: 2, services: 1 },
  },
  {
    id: "xds X116",
    services: [A, B, without("ns-a/svc"), without("ns-b/svc")],
    finds: {},
    sizes: { vips: 0, services: 0 },
  },
  {
    id: "xds X117",
    services: [svc("ns-a", { vips: ["/10.0.0.1"], visibility: "Namespace" })],
    finds: { "10.0.0.1 ns-a": "ns-a/svc", "10.0.0.1 ns-b": null, "10.0.0.1": "ns-a/svc" },
  },
  {
    id: "xds X118",
    services: [svc("ns-a", { cidrs: ["/10.1.0.0/16"], visibility: "Namespace" })],
    finds: { "10.1.0.5 ns-a": "ns-a/svc", "10.1.0.5 ns-b": null },
  },
  {
    id: "xds X119",
    services: [
      svc("ns-a", { hostname: "exact", vips: ["/10.2.0.5"], visibility: "Namespace" }),
      svc("ns-b", { hostname: "cidr", cidrs: ["/10.2.0.0/16"] }),
    ],
    finds: { "10.2.0.5 ns-a": "ns-a/exact", "10.2.0.5 ns-b": "ns-b/cidr" },
  },
  {
    id: "xds X120",
    services: [svc("ns-a", { visibility: "Namespace" })],
    finds: { "host:svc ns-a": "ns-a/svc", "host:svc ns-b": null, "host:svc": "ns-a/svc" },
  },
  { id: "xds X121", services: [svc("ns-a", {})], finds: { "host:svc ns-b": "ns-a/svc" } },
  {
    id: "xds X122",
    services: [svc("ns-a", { visibility: "Namespace" }), svc("ns-b", {})],
    finds: { "host:svc ns-c": "ns-b/svc", "host:svc ns-a": "ns-a/svc" },
  },
  {
    id: "xds X123",
    services: [svc("ns", { cidrs: ["/10.0.0.0/24"] })],
    finds: { "10.0.0.5": "ns/svc", "10.0.0.255": "ns/svc", "10.0.1.5": null },
  },
  {
    id: "xds X124",
    services: [svc("ns", { cidrs: ["/fd00::/112"] })],
    finds: { "fd00::5": "ns/svc", "fd00::ffff": "ns/svc", "fd00::1:0": null, "fd01::5": null },
  },
  {
    id: "xds X125",
    services: [
      svc("ns", { hostname: "wide", cidrs: ["/10.0.0.0/16"] }),
      svc("ns", { hostname: "narrow", cidrs: ["/10.0.0.0/24"] }),
    ],
    finds: { "10.0.0.5": "ns/narrow", "10.0.1.5": "ns/wide" },
  },
  {
    id: "xds X126",
    services: [
      svc("ns", { hostname: "wide", cidrs: ["/fd00::/48"] }),
      svc("ns", { hostname: "narrow", cidrs: ["/fd00::/112"] }),
    ],
    finds: { "fd00::5": "ns/narrow", "fd00::1:0": "ns/wide" },
  },
  {
    id: "xds X127",
    services: [svc("ns", { cidrs: ["/10.0.0.0/24", "/fd00::/112"] })],
    finds: { "10.0.0.5": "ns/svc", "fd00::5": "ns/svc", "10.0.1.5": null, "fd00::1:0": null },
  },
  {
    id: "xds X128",
    services: [
      svc("ns", { hostname: "v4", cidrs: ["/10.0.0.0/24"] }),
      svc("ns", { hostname: "v6", cidrs: ["/fd00::/112"] }),
    ],
    finds: { "fd00::5": "ns/v6", "10.0.0.5": "ns/v4", "253.0.0.0": null, "a00::5": null },
  },
  {
    id: "xds X129",
    services: [svc("ns", { vips: ["/10.0.0.1"], cidrs: ["/fd00::/112"] })],
    finds: { "10.0.0.1": "ns/svc", "fd00::5": "ns/svc", "10.0.0.2": null },
  },
  {
    id: "xds X130",
    services: [
      svc("ns", { hostname: "cidr", cidrs: ["/10.0.0.0/24"] }),
      svc("ns", { hostname: "exact", vips: ["/10.0.0.5"] }),
    ],
    finds: { "10.0.0.5": "ns/exact", "10.0.0.6": "ns/cidr" },
  },
  {
    id: "xds X131",
    services: [
      svc("ns", { hostname: "cidr", cidrs: ["/fd00::/112"] }),
      svc("ns", { hostname: "exact", vips: ["/fd00::5"] }),
    ],
    finds: { "fd00::5": "ns/exact", "fd00::6": "ns/cidr" },
  },
  {
    id: "xds X132",
    services: [svc("ns", { cidrs: ["net-a/10.0.0.0/24"] })],
    finds: { "net-a/10.0.0.5": "ns/svc", "net-b/10.0.0.5": null },
  },
  {
    id: "xds X133",
    services: [svc("ns", { cidrs: ["/10.0.0.0/24"] }), without("ns/svc")],
    finds: { "10.0.0.5": null },
  },
  {
    id: "xds X134",
    services: [svc("ns-a", { cidrs: ["/10.0.0.0/24"] }), svc("ns-b", { cidrs: ["/10.0.0.0/24"] })],
    finds: { "10.0.0.5 ns-a": "ns-a/svc", "10.0.0.5 ns-b": "ns-b/svc" },
  },
  {
    id: "xds X134, one removed",
    services: [svc("ns-a", { cidrs: ["/10.0.0.0/24"] }), svc("ns-b", { cidrs: ["/10.0.0.0/24"] }), without("ns-a/svc")],
    finds: { "10.0.0.5": "ns-b/svc" },
  },
  {
    id: "xds X134, both removed",
    services: [
      svc("ns-a", { cidrs: ["/10.0.0.0/24"] }),
      svc("ns-b", { cidrs: ["/10.0.0.0/24"] }),
      without("ns-a/svc"),
      without("ns-b/svc"),
    ],
    finds: { "10.0.0.5": null },
  },
  {
    id: "xds X135, X136",
    services: [WIDE_LOCAL, NARROW_GLOBAL],
    finds: {
      "10.0.0.5 ns-local": "ns-local/svc",
      "10.0.0.5 ns-other": "istio-system/svc",
      "10.0.0.5": "istio-system/svc",
      "10.0.1.5 ns-other": "ns-local/svc",
    },
  },
  {
    id: "xds X137",
    services: [svc("ns-a", {}), svc("ns-b", { canonical: true })],
    finds: { "host:svc ns-c": "ns-b/svc", "host:svc ns-a": "ns-a/svc" },
  },
  {
    id: "xds 4.2, canonical among equal blocks",
    services: [svc("ns-a", { cidrs: ["/10.0.0.0/24"] }), svc("ns-b", { cidrs: ["/10.0.0.0/24"], canonical: true })],
    finds: { "10.0.0.5": "ns-b/svc", "10.0.0.5 ns-a": "ns-a/svc" },
  },
  {
    id: "xds 4.2, a service that is sent again moves to the end",
    services: [A, B, A],
    finds: { "10.0.0.1": "ns-b/svc" },
  },
  {
    id: "xds 4.2, the last canonical one",
    services: [svc("ns-a", { canonical: true }), svc("ns-b", { canonical: true }), svc("ns-c", {})],
    finds: { "host:svc": "ns-b/svc", "host:svc ns-c": "ns-c/svc" },
  },
  {
    id: "xds 8.1 Q2, two services of one namespace share an address",
    services: [
      svc("ns", { hostname: "one", vips: ["/10.0.0.1"] }),
      svc("ns", { hostname: "two", vips: ["/10.0.0.1"] }),
      without("ns/one"),
    ],
    finds: { "10.0.0.1": "ns/two" },
  },
];

for (const { id, services, finds, sizes } of CASES) {
  Deno.test(id, () => {
    const state = stateOf(...services);
    for (const [query, expected] of Object.entries(finds)) {
      const [what = "", client = null] = query.split(" ");
      const slash = what.indexOf("/");
      const entry = what.startsWith("host:")
        ? state.serviceByHostname(what.slice("host:".length), client)
        : state.serviceByVip(what.slice(0, Math.max(slash, 0)), ip(what.slice(slash + 1)), client);
      assert.equal(entry?.service.key ?? null, expected, query);
    }
    if (sizes !== undefined) {
      assert.deepEqual({ vips: state.sizes.vips, services: state.sizes.services }, sizes);
    }
  });
}

Deno.test("xds 4.2: the preferred namespace of the DNS server", () => {
  const state = stateOf(svc("ns-a", {}), svc("ns-b", {}), svc("ns-c", {}));
  assert.equal(state.serviceByHostname("svc", "ns-x", "ns-b")?.service.namespace, "ns-b");
  assert.equal(state.serviceByHostname("svc", "ns-c", "ns-b")?.service.namespace, "ns-c");
  assert.deepEqual(state.servicesByHostname("svc").map((entry) => entry.service.namespace), ["ns-a", "ns-b", "ns-c"]);
});
