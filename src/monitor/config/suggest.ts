/** More keys than this do not help on one line. */
const MAX_LISTED = 8;

/** What to say of an unknown key beside those that are known: the one that was meant, or all if they are few. */
export function suggest(key: string, known: readonly string[]): string {
  const near = known
    .map((name) => ({ name, far: name.startsWith(key) ? 0 : distance(key, name) }))
    .filter(({ far }) => far <= Math.max(1, Math.floor(key.length / 3)))
    .sort((a, b) => a.far - b.far)[0];
  if (near !== undefined) return `; did you mean ${near.name}?`;
  return known.length > 0 && known.length <= MAX_LISTED ? `; known here: ${known.join(", ")}` : "";
}

/** Insertions, deletions and substitutions from one text to the other (Levenshtein 1965). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
