/** An event of a trace that is being cut down: which one, and for how long, milliseconds. */
export interface Kept {
  readonly id: number;
  readonly forMs: number;
}

/** As `--events` has it: ids, each with its length in seconds. */
export function spell(kept: readonly Kept[]): string {
  return kept.map(({ id, forMs }) => `${id}:${Math.round(forMs / 1000)}`).join(",");
}

/**
 * A shorter list that still fails: delta debugging over the events, then each of them made shorter.
 * @param fails plays a list; it must fail for `all`. @param budget most lists to play.
 */
export async function shrink(
  all: readonly Kept[],
  fails: (kept: readonly Kept[]) => Promise<boolean>,
  budget: number,
): Promise<readonly Kept[]> {
  let left = budget;
  const still = async (kept: readonly Kept[]) => {
    if (left <= 0) return false;
    left -= 1;
    return fails(kept);
  };
  let kept = all;
  for (let parts = 2; kept.length > 1 && left > 0; ) {
    const size = Math.ceil(kept.length / parts);
    let smaller: readonly Kept[] | undefined;
    for (let from = 0; from < kept.length && smaller === undefined; from += size) {
      const without = [...kept.slice(0, from), ...kept.slice(from + size)];
      if (await still(without)) smaller = without;
    }
    if (smaller !== undefined) {
      kept = smaller;
      parts = Math.max(2, parts - 1);
    } else if (size === 1) break;
    else parts = Math.min(kept.length, 2 * parts);
  }
  for (const { id } of kept)
    for (let again = true; again && left > 0; ) {
      const shorter = kept.map((k) => (k.id === id ? { id, forMs: Math.floor(k.forMs / 2000) * 1000 } : k));
      again = (kept.find((k) => k.id === id)?.forMs ?? 0) >= 120_000 && (await still(shorter));
      if (again) kept = shorter;
    }
  return kept;
}
