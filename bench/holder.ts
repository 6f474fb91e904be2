/**
 * Holds connections open: `holder.ts HOST PORT COUNT PATH`. Asks for PATH once on each, reads the first part of the
 * answer and nothing more, prints `ready` and waits to be stopped. With a short answer the connections are idle; with
 * a long one their reader has stopped.
 */
const [hostname = "", port, count, path = "/"] = Deno.args;
const request = new TextEncoder().encode(`GET ${path} HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`);
const OPENERS = 32;

const held: Deno.TcpConn[] = [];
let left = Number(count);

async function open(): Promise<void> {
  const first = new Uint8Array(512);
  while (left-- > 0) {
    const connection = await Deno.connect({ hostname, port: Number(port) });
    held.push(connection);
    await connection.write(request);
    if (await connection.read(first) === null) throw new Error(`Cannot hold connection ${held.length}: it was closed`);
  }
}

await Promise.all(Array.from({ length: Math.min(OPENERS, left) }, open));
console.log("ready");
setInterval(() => held.length, 60_000);
