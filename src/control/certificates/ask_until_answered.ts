/** Requests a certificate until the authority has issued one: proof that it can be reached and accepts our requests. */
import { sleep } from "../../authorities/spire/follow_stream.ts";
import type { CertificateAuthority, CertificateSubject } from "../../identity/authority.ts";
import { backoffDelay } from "../../identity/backoff.ts";
import type { WallClock } from "../../net/clock.ts";

interface Asking {
  readonly authority: Pick<CertificateAuthority, "fetch">;
  readonly subject: CertificateSubject;
  readonly clock: WallClock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly warn: (text: string) => void;
}

const LONGEST_PAUSE = 5_000;
/** ms after which a persistent failure is logged again. */
const REMINDER = 60_000;

/** Resolves with the first certificate; once `signal` is aborted it stays pending. Does not reject. */
export async function askUntilAnswered(asking: Asking, signal: AbortSignal): Promise<void> {
  const { authority, subject, clock, random, warn } = asking;
  let logged = { text: "", at: -Infinity };
  for (let failures = 1;; failures++) {
    try {
      await authority.fetch(subject, signal);
      return;
    } catch (error) {
      if (signal.aborted) return await new Promise(() => {});
      const text = error instanceof Error ? error.message : String(error);
      if (text !== logged.text || clock.elapsed() >= logged.at + REMINDER) {
        logged = { text, at: clock.elapsed() };
        warn(`no certificate for the proxy itself (${subject.id}), which is not ready before it has one: ${text}`);
      }
    }
    const pause = Math.min(backoffDelay(failures, random()), LONGEST_PAUSE);
    await sleep(clock, pause, signal);
    if (signal.aborted) return await new Promise(() => {});
  }
}
