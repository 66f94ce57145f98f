import { expect, test } from "vitest";
import { type Kept, shrink, spell } from "./shrink.ts";

const events = (count: number): Kept[] =>
  Array.from({ length: count }, (_, id) => ({ id, forMs: 1_200_000 }));

test("what two events do together is cut down to these two, and the lengths to what is needed", async () => {
  let played = 0;
  const fails = async (kept: readonly Kept[]) => {
    played += 1;
    const length = (id: number) => kept.find((k) => k.id === id)?.forMs ?? 0;
    return length(7) > 0 && length(23) >= 500_000;
  };
  const kept = await shrink(events(40), fails, 200);
  expect(kept.map((k) => k.id)).toEqual([7, 23]);
  expect(kept[1]?.forMs).toBe(600_000);
  expect(kept[0]?.forMs).toBeLessThan(120_000);
  expect(played).toBeLessThan(120);
  expect(spell(kept)).toBe(`7:${(kept[0]?.forMs ?? 0) / 1000},23:600`);
});

test("what fails without any event is left without any, and a budget ends the search", async () => {
  expect((await shrink(events(10), async () => true, 100)).length).toBeLessThanOrEqual(1);
  let played = 0;
  await shrink(
    events(64),
    async (kept) => {
      played += 1;
      return kept.length === 64;
    },
    12,
  );
  expect(played).toBe(12);
});
