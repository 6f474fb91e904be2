/** A collector that takes OTLP by HTTP and keeps nothing. usage: collector.ts PORT. Prints `ready`. */
Deno.serve(
  { hostname: "127.0.0.1", port: Number(Deno.args[0]), onListen: () => console.log("ready") },
  async (request) => {
    await request.arrayBuffer();
    return new Response(null, { headers: { "content-type": "application/x-protobuf" } });
  },
);
