/** Chooses the HBONE port, which all proxies of a mesh share, so that the kernel cannot choose it for each of them. */

const WELL_KNOWN = 15008;
const TRIES = 50;

/**
 * A demo listens on its port at this address, so that another demo that starts at the same time chooses the next port.
 */
const CLAIM_AT = "127.0.0.1";

/**
 * The first port from 15008 on that is free on each of `ips`; reserved until `stack` ends. Throws where there is none.
 */
export function takeHbonePort(ips: readonly string[], stack: AsyncDisposableStack): number {
  for (let port = WELL_KNOWN; port < WELL_KNOWN + TRIES; port++) {
    const claim = listen(CLAIM_AT, port);
    if (claim === null) continue;
    if (ips.every((ip) => isFree(ip, port))) {
      stack.defer(() => claim.close());
      return port;
    }
    claim.close();
  }
  const last = WELL_KNOWN + TRIES - 1;
  throw new Error(
    `no port from ${WELL_KNOWN} to ${last} is free on all of ${
      ips.join(", ")
    }; \`ss -ltnp\` shows the programs that use them`,
  );
}

function isFree(hostname: string, port: number): boolean {
  const listener = listen(hostname, port);
  listener?.close();
  return listener !== null;
}

/** A listener; null where the port is in use. */
function listen(hostname: string, port: number): Deno.Listener | null {
  try {
    return Deno.listen({ hostname, port });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return null;
    throw error;
  }
}
