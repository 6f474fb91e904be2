/** Connections end through two of our proxies as they end directly: at the client and at the server. */
import { DEDICATED, SHARED } from "../../testkit/application_routes.ts";
import { AS_DIRECT, testEndings } from "../../testkit/endings.ts";
import { ENDINGS } from "./endings.ts";

for (const route of [SHARED, DEDICATED]) testEndings(route, ENDINGS, AS_DIRECT);
