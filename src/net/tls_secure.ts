/** `Network.secure` of the reactor: over a TCP socket directly, over any other stream in memory. */
import { TlsSettingsError } from "../os/tls_native_context.ts";
import type { Duplex, Ending } from "./duplex.ts";
import type { Dial, Millis, SecureEvents } from "./network.ts";
import type { Reactor } from "./reactor.ts";
import { TcpDuplex } from "./tcp_duplex.ts";
import type { TlsContext } from "./tls_context.ts";
import { OpenSslContext } from "./tls_engine.ts";
import { TlsHandshake } from "./tls_handshake.ts";
import type { TlsRole } from "./tls_judge.ts";
import { LayeredTlsHandshake } from "./tls_layered_handshake.ts";

export function secureStream(
  reactor: Reactor,
  plain: Duplex,
  context: TlsContext,
  role: TlsRole,
  timeout: Millis,
  events: SecureEvents,
): Dial {
  if (!(context instanceof OpenSslContext)) throw new TypeError("TLS on the reactor needs a context of its TlsEngine");
  if (plain.failure !== null) return failSoon(reactor, plain.failure, events);
  try {
    return plain instanceof TcpDuplex
      ? new TlsHandshake(reactor, plain, context, role, timeout, events)
      : new LayeredTlsHandshake(reactor, plain, context, role, timeout, events);
  } catch (error) {
    if (!(error instanceof TlsSettingsError)) throw error;
    plain.close();
    return failSoon(reactor, { by: "us", how: "error", code: "TLS_SETTINGS", message: error.message }, events);
  }
}

/** No event comes from inside `secure`. */
function failSoon(reactor: Reactor, ending: Ending, events: SecureEvents): Dial {
  let aborted = false;
  reactor.nextTurn({ runTurn: () => aborted || events.onSecureFailure(ending) });
  return { abort: () => void (aborted = true) };
}
