/** nginx: HTTP/1.1, HTTP/2 without TLS, ranges, uploads, and WebSocket to an application behind it. */
import { strict as assert } from "node:assert";
import { cacheProgram, Proxy } from "../../lab/proxy.ts";
import type { Application, AppRun } from "../../testkit/applications.ts";

const HTTP1 = 8081, HTTP2 = 8082, ECHO = 8083;
const SIZE = 50_000_000;
const WEBSOCKET = "tests/fixtures/websocket.ts";

export const NGINX: Application = {
  name: "nginx",
  packages: ["nginx", "curl", "nghttp", "h2load", "openssl"],
  async check(run) {
    await serve(run);
    const http1 = `http://${run.ip}:${HTTP1}`, http2 = `http://${run.ip}:${HTTP2}`;
    const curl = "curl -sS --fail --max-time 60";
    const head = "grep -iE '^(HTTP|content-|accept-ranges|etag|transfer)' | tr -d '\\r'";

    const checksum = await run.same(`${curl} ${http1}/large | sha256sum`);
    assert.equal(await run.same(`${curl} --http2-prior-knowledge ${http2}/large | sha256sum`), checksum);
    assert.match(await run.same(`${curl} -I ${http1}/large | ${head}`), new RegExp(`content-length: ${SIZE}`, "i"));
    for (const range of ["0-0", `${SIZE - 10}-`, "-1000", "1000000-30000000", "0-9,100-109,4000000-4000009"]) {
      const answer = `${curl} -r ${range} ${http1}/large | sed 's/^--*[0-9]*-*\\r$//' | sha256sum`;
      await run.same(answer);
    }
    // A connection that is kept and used again, and the answer to a range that does not exist.
    await run.same(`${curl} -o /dev/null -o /dev/null -w '%{http_code} %{num_connects}\\n' ${http1}/ ${http1}/`);
    await run.same(`curl -sS -o /dev/null -w '%{http_code}' -r ${SIZE}- ${http1}/large`);
    const uploaded = `${run.folder}/files/upload`;
    const upload = `${curl} -T ${run.folder}/files/large -w '%{http_code}' ${http1}/upload`;
    assert.equal(await run.same(`rm -f ${uploaded}; ${upload}; sha256sum < ${uploaded}`), `201${checksum}`);
    await run.same(`nghttp ${http2}/ ${http2}/large | sha256sum`);
    const load = await run.same(
      `h2load -n 1000 -c 4 -m 25 ${http2}/`,
      (text) => /^requests: .*$/m.exec(text)?.[0] ?? text,
    );
    assert.match(load, /1000 succeeded, 0 failed, 0 errored/);
    await webSocket(run);
  },
};

async function serve(run: AppRun): Promise<void> {
  const files = `${run.folder}/files`;
  Deno.mkdirSync(files);
  Deno.writeTextFileSync(`${files}/index.html`, "welcome\n");
  await run.server.run("sh", "-ec", noise(`${files}/large`));
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((each) =>
    `${each}_temp_path ${run.folder};`
  );
  const conf = `${run.folder}/nginx.conf`;
  Deno.writeTextFileSync(
    conf,
    `daemon off; master_process off; user root; pid ${run.folder}/pid; error_log stderr notice;
     events {}
     http { access_log off; client_max_body_size 1g; ${temporary.join(" ")} root ${files};
       server { listen ${HTTP1}; 
         location / { dav_methods PUT; }
         location /echo { proxy_pass http://127.0.0.1:${ECHO}; proxy_http_version 1.1;
           proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; } }
       server { listen ${HTTP2} http2; } }`,
  );
  await run.serve("nginx", ["-e", "stderr", "-c", conf], /using the "epoll" event method/); // it listens by then
}

/** A file in which no two places look the same. */
function noise(path: string): string {
  const zero = "0".repeat(32);
  return `openssl enc -aes-128-ctr -K ${zero} -iv ${zero} -in /dev/zero 2>/dev/null | head -c ${SIZE} > ${path}`;
}

/** Text and binary messages of many sizes come back as they were, and the close code arrives. */
async function webSocket(run: AppRun): Promise<void> {
  await cacheProgram(WEBSOCKET);
  const server = run.use(Proxy.fixture(WEBSOCKET, ["serve", `${ECHO}`], run.server.name));
  await server.line(/^listening$/);
  const url = `ws://${run.ip}:${HTTP1}/echo`;
  for (const where of [run.server, run.client]) {
    await using client = Proxy.fixture(WEBSOCKET, ["call", url], where.name);
    await client.line(/^500 messages equal, closed with 4001 done$/);
  }
}
