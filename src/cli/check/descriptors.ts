/** The limit of open descriptors. */
import type { Finding, Machine } from "./machine.ts";

/** A connection through the proxy takes two. */
const ENOUGH = 16_384;

/** Whether the hard limit, to which the proxy raises its soft one, suffices for some thousand connections. */
export function checkDescriptors({ descriptors: { soft, hard } }: Pick<Machine, "descriptors">): Finding {
  const subject = "descriptors";
  if (hard >= ENOUGH) {
    return {
      subject,
      state: "ok",
      text: hard === soft ? `at most ${hard}` : `${soft}, raised to ${hard} at the start`,
    };
  }
  return {
    subject,
    state: "problem",
    text: `at most ${hard} can be open, which is enough for ${Math.floor(hard / 2)} connections`,
    cure: `raise the hard limit to ${ENOUGH} or more (ulimit -Hn, LimitNOFILE= of systemd, --ulimit of docker)`,
  };
}
