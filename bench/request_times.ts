/**
 * Sends small requests on kept connections, one after the other on each:
 * `request_times.ts HOST PORT CONNECTIONS SKIP SECONDS [EVERY]` prints {@link RequestTimes} of those that were begun after
 * SKIP seconds and in the SECONDS after that. Unlike wrk it waits for the last ones, which on a slow link are the long
 * ones, and prints the time of each. With EVERY, in ms, a connection begins a request that long after the last one, or
 * when that is answered.
 */
export interface RequestTimes {
  /** In milliseconds, ascending. */
  readonly millis: readonly number[];
  /** Connections that were closed too early. */
  readonly errors: number;
}

/** The end of the application's answer (`nginx.ts`). */
const ANSWER_END = "ok\n";

async function ask(connection: Deno.Conn, request: Uint8Array, buffer: Uint8Array): Promise<void> {
  await connection.write(request);
  let answer = "";
  while (!answer.endsWith(ANSWER_END)) {
    const size = await connection.read(buffer);
    if (size === null) throw new Error("the connection was closed");
    answer += new TextDecoder().decode(buffer.subarray(0, size));
  }
}

if (import.meta.main) {
  const [hostname = "", port, connections, skip, seconds, every = "0"] = Deno.args;
  const request = new TextEncoder().encode(`GET / HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`);
  const from = performance.now() + Number(skip) * 1000, until = from + Number(seconds) * 1000;
  const millis: number[] = [];
  let errors = 0;

  const lane = async () => {
    try {
      using connection = await Deno.connect({ hostname, port: Number(port) });
      const buffer = new Uint8Array(4096);
      for (let began: number; (began = performance.now()) < until;) {
        await ask(connection, request, buffer);
        if (began >= from) millis.push(performance.now() - began);
        const pause = began + Number(every) - performance.now();
        if (pause > 0) await new Promise((resume) => setTimeout(resume, pause));
      }
    } catch {
      errors++;
    }
  };
  await Promise.all(Array.from({ length: Number(connections) }, lane));
  millis.sort((a, b) => a - b);
  console.log(JSON.stringify({ millis, errors } satisfies RequestTimes));
}
