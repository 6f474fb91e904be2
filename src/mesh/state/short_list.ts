/**
 * Lists that nearly always have one value or two, and of which a mesh has hundreds of thousands. An array that has
 * grown by `push` keeps room for sixteen more, so short ones are copied to just their length.
 */
const SHORT = 4;

/** The list with one more value. May change `list` itself: only its owner may have it. */
export function appended<T>(list: readonly T[] | undefined, value: T): readonly T[] {
  if (list === undefined || list.length === 0) return [value];
  // A spread would grow like a push.
  if (list.length < SHORT) return list.concat([value]);
  (list as T[]).push(value);
  return list;
}

/** The list without `value`; undefined where nothing is left. */
export function without<T>(list: readonly T[] | undefined, value: T): readonly T[] | undefined {
  const rest = list?.filter((other) => other !== value);
  return rest === undefined || rest.length === 0 ? undefined : rest;
}
