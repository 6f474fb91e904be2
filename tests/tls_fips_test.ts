/**
 * `COMPLIANCE_POLICY=fips-140-3` of a running proxy, where OpenSSL has its FIPS provider (`docs/spec/identity-spire.md`
 * 6.1).
 */
import { strict as assert } from "node:assert";
import { credential, sharedCa } from "../testkit/credentials.ts";
import { exchange } from "../testkit/hbone_peer.ts";
import { identityOf, meshText } from "../lab/mesh.ts";
import { lacks, plan } from "../lab/needs.ts";
import { run } from "../lab/program.ts";
import { Proxy } from "../lab/proxy.ts";
import { nodeSettings } from "../lab/settings.ts";
import { type TempDir, tempDir } from "../lab/temp_dir.ts";
import { readSystemFile } from "../src/os/system_files.ts";

const IP = "127.0.0.3";
const NO_HTTP2 = "GET / HTTP/1.1\r\n\r\n";

const modules = await modulesFolder();
const missing = lacks({ packages: ["openssl"] });
if (missing.length === 0 && !exists(`${modules}/fips.so`)) {
  const cure = "Debian 13: apt-get install openssl-provider-fips; or set OPENSSL_MODULES";
  missing.push({ reason: "OpenSSL's FIPS provider is missing", cure, duty: false });
}

/** The folder of OpenSSL's providers. */
async function modulesFolder(): Promise<string> {
  const set = Deno.env.get("OPENSSL_MODULES");
  if (set !== undefined) return set;
  const text = await run("openssl", "version", "-m").catch(() => "");
  return /MODULESDIR: "(.*)"/.exec(text)?.[1] ?? "";
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** What an operator does once. The path of the configuration. */
async function installProvider(folder: TempDir): Promise<string> {
  const installed = `${folder.path}/fipsmodule.cnf`;
  await run("openssl", "fipsinstall", "-module", `${modules}/fips.so`, "-out", installed);
  return folder.write(
    "openssl.cnf",
    `openssl_conf = all\n.include ${installed}\n[all]\nproviders = providers\n` +
      "[providers]\nfips = fips_sect\nbase = base\n[base]\nactivate = 1\n",
  );
}

const body = async () => {
  using folder = tempDir();
  const settings = nodeSettings(
    { name: "b", ip: IP, mesh: meshText([{ name: "b", ips: [IP] }]), folder: folder.path },
    {
      TLS_LIBRARY: "libssl.so.3",
      COMPLIANCE_POLICY: "fips-140-3",
      OPENSSL_MODULES: modules,
      OPENSSL_CONF: await installProvider(folder),
      RUST_LOG: "debug",
    },
  );
  await using proxy = await Proxy.ready(settings);
  const library = await proxy.line(/TLS library in use/);
  assert.match(library.fields.get("library")!, /^OpenSSL 3\..*, its FIPS module only$/);
  assert.match(readSystemFile(`/proc/${proxy.pid}/maps`), /\/fips\.so$/m);
  // A peer that prefers X25519 gets a group that the module allows.
  const peer = { credential: credential(sharedCa(folder.path), identityOf("a")) };
  const { received } = await exchange(await proxy.place("inbound"), peer, NO_HTTP2);
  assert.ok(received.endsWith("no HTTP/2 connection preface"), received);
  const { fields } = await proxy.line(/proxy::inbound\tHBONE connection established/);
  assert.match(fields.get("group")!, /^(secp256r1|P-256|prime256v1)$/);
  assert.match(fields.get("cipher")!, /^TLS_AES_(256_GCM_SHA384|128_GCM_SHA256)$/);
};

Deno.test(plan(
  missing,
  "TLS policy, identity 6.1: COMPLIANCE_POLICY=fips-140-3 with OpenSSL's FIPS provider",
  body,
  Deno.env.get("CI") === "true",
));
