/** Applications between pods of two nodes, each with one proxy that serves its pods inside their namespaces. */
import { SHARED } from "../../testkit/application_routes.ts";
import { testApplications } from "../../testkit/application_suite.ts";
import { APPLICATIONS } from "./applications.ts";
import { POSTGRESQL_BULK } from "./postgresql.ts";

testApplications(SHARED, [...APPLICATIONS, POSTGRESQL_BULK]);
