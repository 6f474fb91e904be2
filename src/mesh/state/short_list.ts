/**
 * Lists that nearly always have one or two values, of which a mesh has hundreds of thousands. An array that grows by
 * `push` reserves room for sixteen more values, so short lists are copied to their exact length.
 */

/** Lists up to this length are copied when they grow. */
const SHORT = 4;

/** The list with one more value. May change `list` itself, so nobody but its owner may hold a reference to it. */
export function appended<T>(list: readonly T[] | undefined, value: T): readonly T[] {
  if (list === undefined || list.length === 0) return [value];
  // A spread would reserve room as `push` does.
  if (list.length < SHORT) return list.concat([value]);
  (list as T[]).push(value);
  return list;
}

/** The list without `value`; undefined where nothing is left. */
export function without<T>(list: readonly T[] | undefined, value: T): readonly T[] | undefined {
  const rest = list?.filter((other) => other !== value);
  return rest === undefined || rest.length === 0 ? undefined : rest;
}
