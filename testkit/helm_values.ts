/** Finds keys of Helm values that a chart does not have. Helm ignores them without a word. */

type Values = Readonly<Record<string, unknown>>;

/**
 * Returns the paths in `values` that do not exist in `defaults`, the chart's own values. An empty object or a null among
 * the defaults (`env: {}`, `override: null`) accepts anything.
 */
export function unknownKeys(values: Values, defaults: Values, path = ""): string[] {
  return Object.entries(values).flatMap(([key, value]) => {
    const name = path === "" ? key : `${path}.${key}`;
    if (!Object.hasOwn(defaults, key)) return [name];
    const known = defaults[key];
    if (!isObject(value) || known === null) return [];
    if (!isObject(known)) return [name];
    return Object.keys(known).length === 0 ? [] : unknownKeys(value, known, name);
  });
}

function isObject(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
