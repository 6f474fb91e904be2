import { strict as assert } from "node:assert";
import fc from "fast-check";
import { parseResolverFile } from "./resolver_settings.ts";

Deno.test("config 1.5 a pod's resolver file", () => {
  const text = `# written by the kubelet
search default.svc.cluster.local svc.cluster.local cluster.local
nameserver 10.96.0.10
nameserver fe80::1%eth0 ; link-local
nameserver nonsense
options ndots:5 timeout:2 attempts:9 rotate edns0
`;
  assert.deepEqual(parseResolverFile(text), {
    nameservers: ["10.96.0.10", "fe80::1"],
    search: ["default.svc.cluster.local", "svc.cluster.local", "cluster.local"],
    domain: null,
    ndots: 5,
    timeout: 2000,
    attempts: 5,
    edns0: true,
  });
});

Deno.test("config 1.5 defaults, and the later of domain and search wins", () => {
  const settings = parseResolverFile("search a\ndomain b\noptions timeout:x");
  const defaults = { ndots: 1, timeout: 5000, attempts: 2, edns0: false };
  assert.deepEqual(settings, { nameservers: [], search: [], domain: "b", ...defaults });
  assert.equal(parseResolverFile("domain b\nsearch a").domain, null);
  assert.deepEqual(parseResolverFile("search a -- b").search, ["a", "b"]);
});

Deno.test("config 1.5 any text is read", () => {
  fc.assert(fc.property(fc.string(), (text) => {
    parseResolverFile(text);
    parseResolverFile(`options ${text}\nnameserver ${text}`);
  }));
});
