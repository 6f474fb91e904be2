/** `Network.secure` of the reactor: over a TCP socket directly where the library can, over any other stream in memory. */
import { TlsSettingsError } from "../os/tls_native_context.ts";
import type { Duplex, Ending } from "./duplex.ts";
import { closeAfterLastWords } from "./last_words.ts";
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
    if (!(plain instanceof TcpDuplex)) return new LayeredTlsHandshake(reactor, plain, context, role, timeout, events);
    if (context.native.buffersSockets) return new TlsHandshake(reactor, plain, context, role, timeout, events);
    const close = (reset: boolean) => closeSocket(reactor, plain, reset);
    return new LayeredTlsHandshake(reactor, plain, context, role, timeout, events, close);
  } catch (error) {
    if (!(error instanceof TlsSettingsError)) throw error;
    plain.close();
    return failSoon(reactor, { by: "us", how: "error", code: "TLS_SETTINGS", message: error.message }, events);
  }
}

/** The peer gets to read the alert or the last data, also when it is still sending. */
function closeSocket(reactor: Reactor, tcp: TcpDuplex, reset: boolean): void {
  if (reset || tcp.ended || tcp.failure !== null) return tcp.close(reset);
  tcp.handOver({ onEvents() {} });
  closeAfterLastWords(reactor, tcp.fd);
}

/** No event comes from inside `secure`. */
function failSoon(reactor: Reactor, ending: Ending, events: SecureEvents): Dial {
  let aborted = false;
  reactor.nextTurn({ runTurn: () => aborted || events.onSecureFailure(ending) });
  return { abort: () => void (aborted = true) };
}
