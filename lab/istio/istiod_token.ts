/** Service account tokens as Kubernetes issues them to pods, but for the signature: the istiod of tests takes any. */

export interface TokenOf {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly pod: string;
  /** Default: the one the istiod of tests gives a pod that has none. */
  readonly podUid?: string;
  readonly audience?: string;
  /** Seconds since 1970. Default: in an hour. */
  readonly expires?: number;
}

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

export function podUidOf(namespace: string, pod: string): string {
  return `uid-of-${namespace}-${pod}`;
}

function encoded(part: object): string {
  return new TextEncoder().encode(JSON.stringify(part)).toBase64({ alphabet: "base64url", omitPadding: true });
}
