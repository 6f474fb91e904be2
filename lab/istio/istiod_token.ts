/** Service account tokens like those of Kubernetes, but without a valid signature, which the istiod of tests ignores. */

/** The claims of a token. */
export interface TokenOf {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly pod: string;
  /** Default: the uid that the istiod of tests assigns to a pod without one. */
  readonly podUid?: string;
  readonly audience?: string;
  /** The expiry in seconds since 1970. Default: in an hour. */
  readonly expires?: number;
}

/** Returns a token. */
export function serviceAccountToken(of: TokenOf): string {
  const { namespace, serviceAccount, pod, podUid = podUidOf(namespace, pod), audience = "istio-ca" } = of;
  const claims = {
    iss: "https://kubernetes.default.svc.cluster.local",
    aud: [audience],
    exp: of.expires ?? Math.floor(Date.now() / 1000) + 3600,
    sub: `system:serviceaccount:${namespace}:${serviceAccount}`,
    "kubernetes.io": { namespace, pod: { name: pod, uid: podUid }, serviceaccount: { name: serviceAccount } },
  };
  return [{ alg: "RS256", typ: "JWT" }, claims].map(encoded).concat("c2lnbmF0dXJl").join(".");
}

/** Returns the uid that the istiod of tests assigns to a pod without one. */
export function podUidOf(namespace: string, pod: string): string {
  return `uid-of-${namespace}-${pod}`;
}

function encoded(part: object): string {
  return new TextEncoder().encode(JSON.stringify(part)).toBase64({ alphabet: "base64url", omitPadding: true });
}
