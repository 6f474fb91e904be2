/** The pods of a client and of a server that share a wire, each of them with a proxy of its own, or with none. */
import { meshText } from "../lab/mesh.ts";
import { join, makeNamespace, type Namespace } from "../lab/namespace.ts";
import { cacheProgram, Proxy } from "../lab/proxy.ts";
import { nodeSettings } from "../lab/settings.ts";
import { tempDir } from "../lab/temp_dir.ts";
import type { AppPods } from "./applications.ts";
import { PACKET_MARK, redirect } from "./redirection.ts";
import { caSettingsAt, RELAY, relayCa, startCa } from "./rust_peer_ca.ts";
import { asYaml } from "./rust_peer_mesh.ts";

const IPS = { client: "10.9.0.1", server: "10.9.0.2" } as const;
/** The address of the CA in each pod. */
const LOOPBACK = "127.0.0.1";

/** One of the two pods. */
export type Side = keyof typeof IPS;

/** Builds the pods. `sides`: those with a proxy; the other one is outside of the mesh. `rust`: that with a Rust ztunnel. */
export async function buildDedicated(sides: readonly Side[], rust?: Side): Promise<AppPods> {
  await using stack = new AsyncDisposableStack();
  await cacheProgram("main.ts", RELAY); // the namespaces have no way to the network
  const { path: folder } = stack.use(tempDir());
  const client = stack.use(await makeNamespace("client")), server = stack.use(await makeNamespace("server"));
  await join({ in: client, addresses: [`${IPS.client}/24`] }, { in: server, addresses: [`${IPS.server}/24`] });
  const mesh = meshText(sides.map((name) => ({ name, ips: [IPS[name]] })));
  Deno.writeTextFileSync(`${folder}/mesh.yaml`, asYaml(JSON.parse(mesh)));
  const ca = `${folder}/ca.sock`;
  if (rust !== undefined) stack.use(await startCa(ca));
  const proxies: Proxy[] = [];
  for (const name of sides) {
    const namespace = { client, server }[name];
    await redirect(namespace);
    if (rust !== undefined) stack.use(await relayCa(ca, namespace, LOOPBACK));
    const env = { ...settingsOf(name, folder), ...rust !== undefined && caSettingsAt(LOOPBACK, folder) };
    proxies.push(stack.use(await startProxy(namespace, env, name === rust)));
  }
  const owned = stack.move();
  return { client, server, ip: IPS.server, folder, proxies, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** The ports are those to which the rules redirect, on all addresses; sources are kept. */
function settingsOf(name: Side, folder: string): Record<string, string> {
  const { BIND_ADDRESS: _, ENABLE_ORIG_SRC: __, LOCAL_XDS: ___, ...rest } = nodeSettings({
    name,
    ip: "",
    mesh: "",
    folder,
  });
  const settings = Object.entries(rest).filter(([variable]) => !variable.endsWith("_PORT"));
  return {
    ...Object.fromEntries(settings),
    LOCAL_XDS_PATH: `${folder}/mesh.yaml`,
    UNSTABLE_ENABLE_SOCKS5: "false",
    PACKET_MARK: `${PACKET_MARK}`,
  };
}

function startProxy({ name }: Namespace, env: Readonly<Record<string, string>>, isRust: boolean): Promise<Proxy> {
  const executable = isRust ? Deno.env.get("ZTUNNEL_PEER") : undefined;
  return Proxy.ready(env, { namespace: name, ...executable !== undefined && { executable } });
}
