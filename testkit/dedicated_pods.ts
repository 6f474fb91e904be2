/** The pods of a client and of a server that share a wire, each of them with a proxy of its own, or with none. */
import { meshText } from "../lab/mesh.ts";
import { join, makeNamespace } from "../lab/namespace.ts";
import { cacheProgram, Proxy } from "../lab/proxy.ts";
import { nodeSettings } from "../lab/settings.ts";
import { tempDir } from "../lab/temp_dir.ts";
import type { AppPods } from "./applications.ts";
import { PACKET_MARK, redirect } from "./redirection.ts";

const IPS = { client: "10.9.0.1", server: "10.9.0.2" } as const;
type Side = keyof typeof IPS;

/** Builds the pods. `sides`: those with a proxy; the other one is outside of the mesh. */
export async function buildDedicated(sides: readonly Side[]): Promise<AppPods> {
  await using stack = new AsyncDisposableStack();
  await cacheProgram("main.ts"); // the namespaces have no way to the network
  const { path: folder } = stack.use(tempDir());
  const client = stack.use(await makeNamespace("client")), server = stack.use(await makeNamespace("server"));
  await join({ in: client, addresses: [`${IPS.client}/24`] }, { in: server, addresses: [`${IPS.server}/24`] });
  const mesh = meshText(sides.map((name) => ({ name, ips: [IPS[name]] })));
  const proxies: Proxy[] = [];
  for (const name of sides) {
    const namespace = { client, server }[name];
    await redirect(namespace);
    // The ports to which the rules redirect, on all addresses; sources are kept.
    const { BIND_ADDRESS: _, ENABLE_ORIG_SRC: __, ...rest } = nodeSettings({ name, ip: "", mesh, folder });
    const settings = Object.entries(rest).filter(([variable]) => !variable.endsWith("_PORT"));
    const env = { ...Object.fromEntries(settings), UNSTABLE_ENABLE_SOCKS5: "false", PACKET_MARK: `${PACKET_MARK}` };
    proxies.push(stack.use(await Proxy.ready(env, { namespace: namespace.name })));
  }
  const owned = stack.move();
  return { client, server, ip: IPS.server, folder, proxies, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
