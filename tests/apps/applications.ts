/** All applications that are checked through the mesh. */
import type { Application } from "../../testkit/applications.ts";
import { GRPC } from "./grpc.ts";
import { MARIADB } from "./mariadb.ts";
import { MOSQUITTO } from "./mosquitto.ts";
import { NATS } from "./nats.ts";
import { NGINX } from "./nginx.ts";
import { POSTGRESQL } from "./postgresql.ts";
import { REDIS } from "./redis.ts";
import { SMTP } from "./smtp.ts";
import { SSH } from "./ssh.ts";

export const APPLICATIONS: readonly Application[] = [
  POSTGRESQL,
  MARIADB,
  REDIS,
  NGINX,
  GRPC,
  MOSQUITTO,
  NATS,
  SMTP,
  SSH,
];
