/** Bad networks that several tests use. */
import type { Namespace } from "../../lab/namespace.ts";
import type { LinkConditions } from "./delayed_packets.ts";

/** Lost, reordered and repeated packets. */
export const BAD_NETWORK: Partial<LinkConditions> = {
  delayMillis: 5,
  lossShare: 0.01,
  reorderShare: 0.05,
  duplicateShare: 0.02,
};

/** A path whose MTU is smaller than those of the devices at its ends, and from which no ICMP comes. */
export const BLACK_HOLE: Partial<LinkConditions> = { delayMillis: 5, largestPacket: 1280 };

/** Lets the kernel send smaller packets where large ones get lost (RFC 4821); by default it does not. */
export async function allowMtuProbing({ run }: Namespace): Promise<void> {
  await run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/tcp_mtu_probing");
}
