/** Where commands look for the admin port of the proxy, unless `--admin` names another place: `host:port`. */
export const DEFAULT_ADMIN = "127.0.0.1:15000";
