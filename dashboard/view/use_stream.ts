/** Server-sent events of a route, which is opened again when it breaks, and closed while the page is not seen. */
import { useEffect, useRef, useState } from "preact/hooks";
import { type Link, type LinkEvent, NEW_LINK, nextLink, retryPause } from "../state/link.ts";

/** An event. `type`: `message` where the proxy names none. */
export interface StreamEvent {
  readonly type: string;
  readonly data: string;
}

/** What a stream needs. */
interface StreamOptions {
  /** Names of events beside `message`. */
  readonly types: readonly string[];
  /** ms without an event after which the stream counts as broken; null: silence is normal. */
  readonly silence: number | null;
  /**
   * Some events, in order. `dropped`: those before them that this page was too slow for. `isBeginning`: the first of them
   * is the first one of a stream.
   */
  readonly onEvents: (events: readonly StreamEvent[], dropped: number, isBeginning: boolean) => void;
}

/** ms in which a stream must begin, else it is opened again. */
const BEGIN = 10_000;
/** Events are handed on together, ms. */
const COLLECT = 250;
/** Events that may wait; further ones are dropped. */
const WAITING_MAX = 2000;

/** Follows `url`; null: nothing. Returns the state of the connection. */
export function useStream(url: string | null, options: StreamOptions): Link {
  const [link, setLink] = useState<Link>(NEW_LINK);
  const current = useRef(options);
  current.current = options;
  useEffect(() => {
    if (url === null) return;
    return follow(url, current, setLink);
  }, [url]);
  return link;
}

function follow(url: string, options: { current: StreamOptions }, setLink: (link: Link) => void): () => void {
  let link: Link = NEW_LINK;
  let source: EventSource | null = null;
  let retry = 0, flush = 0, watchdog = 0, dropped = 0;
  let waiting: StreamEvent[] = [], isBeginning = true;
  const happen = (event: LinkEvent) => {
    const next = nextLink(link, event);
    if (next !== link) setLink(link = next);
  };
  const broken = () => {
    source?.close();
    source = null;
    clearTimeout(watchdog);
    happen({ kind: "broken", now: Date.now() });
    clearTimeout(retry);
    if (link.state === "lost") retry = setTimeout(again, retryPause(link.failures));
  };
  const again = () => {
    happen({ kind: "retry" });
    open();
  };
  const watch = () => {
    clearTimeout(watchdog);
    const { silence } = options.current;
    if (silence !== null) watchdog = setTimeout(broken, silence);
  };
  const receive = (event: MessageEvent<string>) => {
    watch();
    if (waiting.length >= WAITING_MAX) dropped++;
    else waiting.push({ type: event.type, data: event.data });
    if (flush === 0) flush = setTimeout(deliver, COLLECT);
  };
  const deliver = () => {
    const events = waiting, lost = dropped, isFirst = isBeginning;
    waiting = [];
    flush = dropped = 0;
    // They may all have been of a stream that was opened again since.
    if (events.length === 0 && lost === 0) return;
    isBeginning = false;
    options.current.onEvents(events, lost, isFirst);
  };
  const open = () => {
    if (document.hidden || source !== null) return;
    const opened = source = new EventSource(url);
    clearTimeout(watchdog);
    watchdog = setTimeout(broken, BEGIN);
    opened.onopen = () => {
      watch();
      waiting = [];
      isBeginning = true;
      happen({ kind: "open" });
    };
    opened.onerror = broken;
    for (const type of ["message", ...options.current.types]) {
      opened.addEventListener(type, (event) => receive(event as MessageEvent<string>));
    }
  };
  const close = () => {
    source?.close();
    source = null;
    clearTimeout(retry);
    clearTimeout(watchdog);
  };
  const seen = () => {
    if (document.hidden) return close();
    if (source !== null) return;
    happen({ kind: "retry" });
    open();
  };
  document.addEventListener("visibilitychange", seen);
  setLink(link);
  open();
  return () => {
    document.removeEventListener("visibilitychange", seen);
    clearTimeout(flush);
    close();
  };
}
