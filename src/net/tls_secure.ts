/** Begins TLS handshakes, on a TCP socket or over another stream. */
import type { Millis } from "./clock.ts";
import { TlsSettingsError } from "../os/tls_settings.ts";
import type { Duplex, Ending } from "./duplex.ts";
import type { Handshake, SecureEvents } from "./network.ts";
import type { SocketLoop } from "./socket_loop.ts";
import { TcpDuplex } from "./tcp_duplex.ts";
import type { TlsContext } from "./tls_context.ts";
import { OpenSslContext } from "./tls_engine.ts";
import { TlsHandshake } from "./tls_handshake.ts";
import type { TlsRole } from "../os/tls_settings.ts";
import { LayeredTlsHandshake } from "./tls_layered_handshake.ts";

/** `Network.secure` of the reactor. Throws a TypeError for a context of another implementation. */
export function secureStream(
  loop: SocketLoop,
  plain: Duplex,
  context: TlsContext,
  role: TlsRole,
  timeout: Millis,
  events: SecureEvents,
): Handshake {
  if (!(context instanceof OpenSslContext)) throw new TypeError("TLS on the reactor needs a context of its TlsEngine");
  if (plain.failure !== null) return failSoon(loop, plain.failure, events);
  try {
    return plain instanceof TcpDuplex
      ? new TlsHandshake(loop, plain, context, role, timeout, events)
      : new LayeredTlsHandshake(loop, plain, context, role, timeout, events);
  } catch (error) {
    if (!(error instanceof TlsSettingsError)) throw error;
    plain.close();
    return failSoon(loop, { by: "us", how: "error", code: "TLS_SETTINGS", message: error.message }, events);
  }
}

/** Fails in the next turn, since no event may come from inside of `secure`. */
function failSoon(loop: SocketLoop, ending: Ending, events: SecureEvents): Handshake {
  let aborted = false;
  loop.nextTurn({ runTurn: () => aborted || events.onSecureFailure(ending) });
  return { peerSince: null, abort: () => void (aborted = true) };
}
