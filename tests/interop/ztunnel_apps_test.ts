/** Applications between a node of ours and a node with a Rust ztunnel, in both directions. */
import { WITH_RUST } from "../../testkit/application_routes.ts";
import { testApplications } from "../../testkit/application_suite.ts";
import { APPLICATIONS } from "../apps/applications.ts";

for (const route of WITH_RUST) testApplications(route, APPLICATIONS);
