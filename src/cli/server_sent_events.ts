/** Reads server-sent events (HTML, "Server-sent events") from the pieces of a response. */

/** One event. `type`: `message` where the server names none. */
interface ServerSentEvent {
  readonly type: string;
  readonly data: string;
}

/** Characters of one event; a longer one ends the reading. */
const EVENT_MAX = 1 << 20;

/** The events in `pieces`. Comments and unknown fields are skipped, an event that is cut off too. */
export async function* serverSentEvents(
  pieces: AsyncIterable<string>,
): AsyncGenerator<ServerSentEvent, void, undefined> {
  let rest = "";
  for await (const piece of pieces) {
    const blocks = (rest + piece).split("\n\n");
    rest = blocks.pop()!;
    if (rest.length > EVENT_MAX) throw new Error(`an event has more than ${EVENT_MAX} characters`);
    for (const block of blocks) {
      const event = parseEvent(block);
      if (event !== null) yield event;
    }
  }
}

function parseEvent(block: string): ServerSentEvent | null {
  let type = "message";
  const data: string[] = [];
  for (const line of block.split("\n")) {
    const [, name, value = ""] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? [];
    if (name === "event") type = value;
    if (name === "data") data.push(value);
  }
  return data.length === 0 ? null : { type, data: data.join("\n") };
}
