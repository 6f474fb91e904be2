/** Flattens Kubernetes objects for comparison; the order of lists whose entries have names does not matter. */

/** Values by path, such as `spec.template.spec.containers[istio-proxy].env[NODE_NAME].value`. */
export type Facts = Readonly<Record<string, string | number | boolean | null>>;

/** All values in an object. */
export function factsOf(object: unknown): Facts {
  const found: Record<string, string | number | boolean | null> = {};
  walk(object, "", found);
  return found;
}

function walk(value: unknown, path: string, found: Record<string, string | number | boolean | null>): void {
  if (Array.isArray(value)) {
    for (const item of value) {
      const name = typeof item === "object" ? item.name ?? item.mountPath ?? null : null;
      if (typeof item !== "object") found[`${path}[${item}]`] = true;
      else if (name === null) found[`${path}[${JSON.stringify(Object.entries(factsOf(item)).sort())}]`] = true;
      else walk(item, `${path}[${name}]`, found);
    }
  } else if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value);
    for (const [key, inner] of entries) walk(inner, path === "" ? key : `${path}.${key}`, found);
    if (entries.length === 0) found[path] = "{}";
  } else {
    found[path] = value as string | number | boolean | null;
  }
}
