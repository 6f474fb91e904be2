import { strict as assert } from "node:assert";
import { productFlags } from "./product_flags.ts";

function paths(environment: Record<string, string>, right: "read" | "write"): string[] {
  const flag = productFlags(environment, "other_main.ts").find((word) => word.startsWith(`--allow-${right}=`));
  return flag?.slice(flag.indexOf("=") + 1).split(",") ?? [];
}

Deno.test("product flags: files and sockets are granted by path, and no program may be started", () => {
  const flags = productFlags({});
  assert.deepEqual(flags.filter((flag) => /^--allow-[a-z]+$/.test(flag)), [
    "--allow-env",
    "--allow-ffi",
    "--allow-net",
    "--allow-sys",
  ]);
  assert.ok(flags.includes("--deny-run") && flags.includes("--no-prompt"));
  assert.ok(!flags.some((flag) => flag.startsWith("--allow-write")));
  assert.deepEqual(paths({}, "read").slice(0, 4), ["main.ts", "src", "other_main.ts", "./etc/istio/config/mesh"]);
});

Deno.test("product flags: files and sockets are those that the settings name", () => {
  const none = paths({}, "read").length;
  const added = (environment: Record<string, string>) => [
    paths(environment, "read").slice(none),
    paths(environment, "write"),
  ];
  assert.deepEqual(added({ XDS_ROOT_CA: "/a/root.pem", CRL_PATH: "/b" }), [["/a/root.pem", "/b"], []]);
  assert.deepEqual(added({ XDS_ROOT_CA: "SYSTEM", CA_ROOT_CA: "-----BEGIN CERTIFICATE-----" }), [[], []]);
  assert.deepEqual(added({ AUTH_TOKEN: "/eyJ.secret" }), [[], []]);
  assert.deepEqual(added({ AUTH_TOKEN: "deno.json" }), [["deno.json"], []]);
  assert.deepEqual(added({ LOCAL_CA_CERT: "/c/ca.pem", LOCAL_CA_KEY: "/c/ca.key" }), [["/c"], ["/c"]]);
  assert.deepEqual(added({ LOCAL_CA_CERT: "/ca.pem", LOCAL_CA_KEY: "ca.key" }), [["/", "."], ["/", "."]]);
  assert.deepEqual(added({ XDS_ADDRESS: "https://istiod:15012", CA_ADDRESS: "unix:/x" }), [["/x"], ["/x"]]);
  assert.equal(added({ SPIRE_ENABLED: "true", SPIRE_ADMIN_ENDPOINT_SOCKET: "unix:///s" })[1]![0], "/s");
  assert.equal(added({ SPIRE_ENABLED: "true" })[1]!.length, 5);
});
