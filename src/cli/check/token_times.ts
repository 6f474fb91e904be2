/** The times in a bearer token. Its signature is not checked: that is up to the server that gets it. */

/** ms since the epoch. Null: the token is no JWT, or does not say. */
interface TokenTimes {
  readonly issued: number | null;
  readonly expires: number | null;
}

/** Reads `iat` and `exp` of a JWT (RFC 7519 §4.1). Other tokens have neither. */
export function tokenTimes(token: string): TokenTimes {
  const claims = claimsOf(token.trim());
  return { issued: millis(claims["iat"]), expires: millis(claims["exp"]) };
}

function claimsOf(token: string): Record<string, unknown> {
  try {
    const [, payload = ""] = token.split(".");
    const claims: unknown = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
    return typeof claims === "object" && claims !== null ? claims as Record<string, unknown> : {};
  } catch {
    return {};
  }
}

function millis(seconds: unknown): number | null {
  const most = 8.64e12; // what a Date can hold
  return typeof seconds === "number" && Math.abs(seconds) <= most ? seconds * 1000 : null;
}
