/** Configuration of the nginx processes: the application, and the two proxies of the stream-TLS peer. */
import { BULK_PORT, ECHO_PORT, HTTP_PORT, type Link, type Side } from "./rig.ts";

/** A path of the application whose response is longer than any client reads. */
export const ENDLESS_PATH = "/endless";

/** A path of the application that reports its number of requests (ngx_http_stub_status_module). */
export const STATUS_PATH = "/status";

/** Where the stream-TLS pair listens: one port per application port, as it cannot tell where a connection was going. */
export const STREAM_PORTS = [
  { app: HTTP_PORT, client: 15001, server: 15008 },
  { app: BULK_PORT, client: 15002, server: 15009 },
  { app: ECHO_PORT, client: 15003, server: 15010 },
] as const;

/**
 * One process without master: the pid we start is the one that works. Its user is named since the built-in one may not
 * exist in a user namespace.
 */
function frame(directory: string, sections: string): string {
  return `daemon off;
master_process off;
user root root;
pid ${directory}/pid;
error_log ${directory}/error.log warn;
worker_rlimit_nofile 65536;
events { worker_connections 20000; }
${sections}`;
}

/** A small static reply, connections that live as long as the client wants, no access log. */
export function applicationConfig(link: Link, directory: string): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `  ${name}_temp_path ${directory}/${name};`).join("\n");
  return frame(
    directory,
    `http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  client_header_timeout 1h;
  send_timeout 1h;
  tcp_nodelay on;
  sendfile on;
${temporary}
  server {
    listen ${link.addresses.server}:${HTTP_PORT} backlog=4096;
    location / { return 200 "ok\\n"; }
    location = ${ENDLESS_PATH} { root ${directory}; }
    location = ${STATUS_PATH} { stub_status; }
  }
}
`,
  );
}

/**
 * Each connection has its own TLS 1.3 connection, with certificates on both sides and AES-256-GCM, as in the others.
 */
export function streamConfig(link: Link, directory: string, side: Side, credentials: string): string {
  const servers = STREAM_PORTS.map((ports) =>
    side === "client" ? clientServer(link, ports) : serverServer(link, ports)
  );
  const prefix = side === "client" ? "proxy_ssl" : "ssl";
  const verify = side === "client"
    ? "proxy_ssl on;\n  proxy_ssl_verify on;\n  proxy_ssl_name bench;\n  proxy_ssl_session_reuse off;"
    : "ssl_verify_client on;\n  ssl_session_tickets off;";
  const trusted = side === "client" ? "proxy_ssl_trusted_certificate" : "ssl_client_certificate";
  return frame(
    directory,
    `stream {
  log_format line '$remote_addr $status $bytes_sent $bytes_received $session_time';
  access_log ${directory}/access.log line;
  ${prefix}_certificate ${credentials}/cert.pem;
  ${prefix}_certificate_key ${credentials}/key.pem;
  ${trusted} ${credentials}/cert.pem;
  ${prefix}_protocols TLSv1.3;
  ${prefix}_conf_command Ciphersuites TLS_AES_256_GCM_SHA384;
  ${verify}
  proxy_timeout 1h;
${servers.join("\n")}
}
`,
  );
}

type Ports = (typeof STREAM_PORTS)[number];

function clientServer(link: Link, ports: Ports): string {
  return `  server { listen 0.0.0.0:${ports.client} backlog=4096; proxy_pass ${link.addresses.server}:${ports.server}; }`;
}

function serverServer(link: Link, ports: Ports): string {
  const target = `${link.addresses.server}:${ports.app}`;
  return `  server { listen ${link.addresses.server}:${ports.server} ssl backlog=4096; proxy_pass ${target}; }`;
}
