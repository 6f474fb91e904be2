/**
 * Connections through a proxy of ours and a Rust ztunnel, in both directions. The Rust ztunnel passes every reset on as
 * an end, on its way in as on its way out; all else is as with a direct connection.
 */
import { WITH_RUST } from "../../testkit/application_routes.ts";
import { testEndings } from "../../testkit/endings.ts";
import { ENDINGS } from "../apps/endings.ts";

const COMPARED = ENDINGS.filter(({ early }) => !early);

for (const route of WITH_RUST) testEndings(route, COMPARED, "lost");
