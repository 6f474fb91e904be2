/** The connections of a soak run: which kinds, from where, to where and how many. */
import { SERVICE } from "../../lab/bed/mesh.ts";
import type { Call } from "./calls.ts";

/** The ports of the application; connections to the second one are cut by policies at times. */
export const APP = 7000, POLICED = 7001;
const CLOSED = 7009, HBONE = 15008;
/** The SOCKS5 port of a dedicated proxy. */
export const SOCKS = 15080;
/** A name that only the nameserver of the node knows. */
export const FOREIGN_NAME = { name: "www.example.com", answer: "192.0.2.80" } as const;

/** Addresses of the pods and of the host outside of the mesh. */
export interface Addresses {
  readonly near: string;
  readonly far: string;
  readonly far6: string;
  readonly guest: string;
  readonly strict: string;
  readonly outside: string;
  readonly nameserver: string;
}

const call = (
  name: string,
  kind: Call["kind"],
  ip: string,
  port: number,
  perSecond: number,
  more: Partial<Call> = {},
) => ({ name, kind, ip, port, perSecond, ...more }) satisfies Call;

/** From the pod `client` of node 1. */
export function callsOfClient({ near, far, far6, guest, strict, outside, nameserver }: Addresses): Call[] {
  return [
    call("small echo to another node", "echo", far, APP, 6, { bytes: 2000 }),
    call("small echo, IPv6", "echo", far6, APP, 1, { bytes: 2000 }),
    call("small echo on the same node", "echo", near, APP, 3, { bytes: 2000 }),
    call("small echo to a pod that requires mTLS", "echo", strict, APP, 2, { bytes: 2000 }),
    call("echo to the service", "echo", SERVICE.ip, SERVICE.port, 3, { bytes: 20_000 }),
    call("echo out of the mesh", "echo", outside, APP, 3, { bytes: 2000 }),
    call("bulk upload", "upload", far, APP, 0.1, { bytes: 8_000_000 }),
    call("bulk in both directions", "echo", far, APP, 0.05, { bytes: 4_000_000 }),
    call("held for 20 s", "held", far, APP, 0.5, { seconds: 20 }),
    call("reset by the application", "reset", far, APP, 1),
    call("reset by the caller", "abort", far, APP, 2),
    call("half-closed by the application", "halfClosed", far, APP, 1),
    call("nothing listens", "refused", far, CLOSED, 1),
    call("nothing listens, out of the mesh", "refused", outside, CLOSED, 0.5),
    call("cut by a policy at times", "held", far, POLICED, 0.5, { seconds: 6, mayFail: true }),
    call("to a pod that comes and goes", "echo", guest, APP, 1, { bytes: 2000, mayFail: true }),
    call("DNS: a service", "dns", nameserver, 53, 2, { lookup: { name: SERVICE.hostname, answer: SERVICE.ip } }),
    call("DNS: forwarded", "dns", nameserver, 53, 1, { lookup: FOREIGN_NAME }),
  ];
}

/** From the pod `far` of node 2. */
export function callsOfFar({ near }: Addresses): Call[] {
  return [
    call("back: small echo", "echo", near, APP, 4, { bytes: 2000 }),
    call("back: bulk upload", "upload", near, APP, 0.1, { bytes: 4_000_000 }),
    call("back: reset by the application", "reset", near, APP, 0.5),
    call("back: reset by the caller", "abort", near, APP, 0.5),
    call("back: held for 20 s", "held", near, APP, 0.2, { seconds: 20 }),
  ];
}

/** From the host outside of the mesh. */
export function callsFromOutside({ far, strict }: Addresses): Call[] {
  return [
    call("plain: small echo", "echo", far, APP, 2, { bytes: 2000 }),
    call("plain: reset by the application", "reset", far, APP, 0.5),
    call("plain: refused by a policy", "refused", strict, APP, 1),
    call("plain: no TLS to the HBONE port", "garbage", far, HBONE, 0.5),
  ];
}

/** Through the SOCKS5 port of a dedicated proxy to the application behind another one. */
export function callsBySocks(to: string): Call[] {
  const socks = { socks: SOCKS };
  return [
    call("SOCKS5: small echo", "echo", to, APP, 5, { bytes: 2000, ...socks }),
    call("SOCKS5: bulk upload", "upload", to, APP, 0.1, { bytes: 8_000_000, ...socks }),
    call("SOCKS5: held for 20 s", "held", to, APP, 0.3, { seconds: 20, ...socks }),
    call("SOCKS5: reset by the application", "reset", to, APP, 0.5, socks),
    call("SOCKS5: half-closed by the application", "halfClosed", to, APP, 0.5, socks),
    call("SOCKS5: nothing listens", "refused", to, CLOSED, 0.5, socks),
  ];
}
