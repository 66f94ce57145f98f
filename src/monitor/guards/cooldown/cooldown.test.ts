import { describe, expect, it } from "vitest";
import type { TargetMemory } from "../guard.ts";
import { factsOf, partyOf, questionOf, UNTOUCHED } from "../guards.testkit.ts";
import { admission } from "../index.ts";
import { targetCooldownMs } from "./index.ts";

const NOW = { wallMs: 1_760_000_000_000, monoMs: 1_000_000 };
const gateway = partyOf("gateway");

/** What holds a run of product-api on the gateway, one of which was acted on so long ago, milliseconds. */
function held(
  agoMs: number,
  over: Partial<TargetMemory> = {},
  { shadow = false, who = "gateway" }: { shadow?: boolean; who?: string } = {},
) {
  const acted = { ...UNTOUCHED, lastActionMonoMs: NOW.monoMs - agoMs, ...over };
  const memory = (name: string) => (name === who ? acted : UNTOUCHED);
  return admission(questionOf("product-api", { callees: [gateway], shadow }), factsOf(NOW, { memory })).all;
}

describe("cooldown", () => {
  it("holds until it is over, and says of whom, how long and until when", () => {
    expect(held(298_500)).toEqual([
      {
        guard: "cooldown_active",
        target: "gateway",
        untilMs: NOW.wallMs + 1500,
        detail: "in cooldown, 2 s left",
      },
    ]);
    expect(held(0, {}, { who: "product-api" })).toMatchObject([
      { target: "product-api", untilMs: NOW.wallMs + 300_000 },
    ]);
    expect(held(299_999)).toHaveLength(1);
    expect(held(300_000)).toEqual([]);
    expect(held(0, {}, { who: "other" })).toEqual([]);
  });

  it("of an imagined action holds imagined ones only; a real one holds both", () => {
    const imagined = { lastActionMonoMs: undefined, lastShadowMonoMs: NOW.monoMs - 1000 };
    expect(held(0, imagined)).toEqual([]);
    expect(held(0, imagined, { shadow: true })).toMatchObject([{ untilMs: NOW.wallMs + 299_000 }]);
    expect(held(1000, {}, { shadow: true })).toMatchObject([{ untilMs: NOW.wallMs + 299_000 }]);
    const both = { ...UNTOUCHED, lastActionMonoMs: NOW.monoMs - 2000, lastShadowMonoMs: NOW.monoMs - 9000 };
    expect(targetCooldownMs(gateway, both, true, NOW)).toBe(298_000);
    expect(targetCooldownMs(gateway, both, false, NOW)).toBe(298_000);
  });

  it("comes after an action whose outcome is not known, and both are told", () => {
    expect(held(0, { unresolved: true }).map(({ guard }) => guard)).toEqual([
      "intent_unresolved",
      "cooldown_active",
    ]);
  });
});
