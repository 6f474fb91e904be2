/** Connections that one proxy passes on as plain TCP end as they end directly: at the client and at the server. */
import { FROM_OUTSIDE, TO_OUTSIDE } from "../../testkit/application_routes.ts";
import { AS_DIRECT, testEndings } from "../../testkit/endings.ts";
import { ENDINGS } from "./endings.ts";

for (const route of [...TO_OUTSIDE, ...FROM_OUTSIDE]) testEndings(route, ENDINGS, AS_DIRECT);
