/** Whether two lists hold the same things in the same order. */
export function sameList<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

/** Whether two plain objects hold the same things under the same names in the same order: then their JSON is the same. */
export function sameParts<T extends object>(a: T, b: T): boolean {
  const names = Object.keys(a) as (keyof T)[];
  return sameList(names, Object.keys(b) as (keyof T)[]) && names.every((name) => a[name] === b[name]);
}
