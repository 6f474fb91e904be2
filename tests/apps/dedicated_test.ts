/** Applications between two pods with a proxy of their own each. */
import { DEDICATED } from "../../testkit/application_routes.ts";
import { testApplications } from "../../testkit/application_suite.ts";
import { APPLICATIONS } from "./applications.ts";

testApplications(DEDICATED, APPLICATIONS);
