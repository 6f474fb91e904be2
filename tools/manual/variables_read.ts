/** The environment variables that source text reads other than through `Environment` of `src/config`. */

const READS = [
  /\bDeno\.env\.(?:get|has|set|delete)\(\s*"([A-Za-z0-9_]+)"/g,
  /\bgetenv\("([A-Za-z0-9_]+)"\)/g,
  /\bwholeNumber\("([A-Z_]+)"\)/g,
  /\$\{([A-Z][A-Z0-9_]*):[-?]/g,
];

export function variablesRead(source: string): string[] {
  return READS.flatMap((pattern) => [...source.matchAll(pattern)].map(([, name]) => name!));
}
