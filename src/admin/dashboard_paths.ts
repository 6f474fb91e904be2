/** The paths of the dashboard, apart from their handlers, which are loaded later (`dashboard_routes.ts`). */

/** Paths of the admin port. */
export const DASHBOARD_PATHS = [
  "/dashboard.html",
  "/dashboard.css",
  "/dashboard.js",
  "/samples",
  "/node",
  "/service-map",
  "/pods",
  "/policies",
  "/certificates",
] as const;
