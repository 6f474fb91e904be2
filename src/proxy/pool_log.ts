/** The log lines of one pod's HBONE connections to peers (`docs/spec/config-admin.md` 6.7). */
import type { ClientConnection } from "../hbone/client_connection.ts";
import { isPingTimeout, type TunnelFailure } from "../hbone/failure.ts";
import type { PoolObserver } from "../hbone/pool_settings.ts";
import { ErrorCode, type H2Failure } from "../h2/seam.ts";
import { formatAddress } from "../net/address.ts";
import type { Millis } from "../net/clock.ts";
import type { LineLimit } from "../telemetry/line_limit.ts";
import type { LogScope } from "../telemetry/log.ts";
import { bare, type Fields } from "../telemetry/log_fields.ts";
import { LEVEL } from "../telemetry/log_level.ts";

/** Logs how connections are made and how they end. */
export class PoolLog implements PoolObserver {
  readonly #client: LogScope;
  readonly #pool: LogScope;
  readonly #lines: LineLimit;
  readonly #now: () => Millis;

  /** `log`: with the pod's span. `now`: the time of the pool's connections. */
  constructor(log: LogScope, lines: LineLimit, now: () => Millis) {
    this.#client = log.as("ztunnel::proxy::h2::client");
    this.#pool = log.as("ztunnel::proxy::pool");
    this.#lines = lines;
    this.#now = now;
  }

  connecting({ peer, number }: ClientConnection): void {
    if (!this.#pool.isEnabled(LEVEL.debug)) return;
    const text = `spawning new pool conn for ${formatAddress(peer.address)}[${peer.expected.join(",")}]`;
    this.#pool.debug(text, { connection: number });
  }

  connected(connection: ClientConnection): void {
    if (!this.#client.isEnabled(LEVEL.debug)) return;
    const { tls } = connection;
    this.#client.debug("HBONE connection established", {
      ...identify(connection),
      version: tls?.version,
      cipher: tls?.cipher,
      group: tls?.group,
    });
  }

  failed(connection: ClientConnection, { message }: TunnelFailure): void {
    if (!this.#client.isEnabled(LEVEL.debug)) return;
    this.#client.debug(`HBONE connection failed: ${message}`, identify(connection));
  }

  /**
   * An error that one side reports is a warning. One that was not used, drains, or breaks as its peer ends is not: its
   * streams have error lines of their own.
   */
  ended(connection: ClientConnection, failure: H2Failure): void {
    const message = `HBONE connection ended: ${failure.reason}`;
    if (failure.by !== "transport" && (failure.code !== ErrorCode.NO_ERROR || isPingTimeout(failure))) {
      return this.#lines.warn("pooled connection", this.#client, message, identify(connection));
    }
    if (!this.#client.isEnabled(LEVEL.debug)) return;
    const unused = bare(`${Math.floor(this.#now() - connection.lastUsed)}ms`);
    this.#client.debug(message, { ...identify(connection), unused });
  }
}

function identify({ peer, peerId, number }: ClientConnection): Fields {
  return { peer: bare(formatAddress(peer.address)), identity: peerId, connection: number };
}
