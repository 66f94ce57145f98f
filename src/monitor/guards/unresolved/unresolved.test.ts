import { describe, expect, it } from "vitest";
import { factsOf, partyOf, questionOf, UNTOUCHED } from "../guards.testkit.ts";
import { admission } from "../index.ts";

const NOW = { wallMs: 1_760_000_000_000, monoMs: 1_000_000 };

function held(who: string, continues = false) {
  const memory = (name: string) => ({ ...UNTOUCHED, unresolved: name === who });
  const question = questionOf("product-api", { callees: [partyOf("gateway")], continues });
  return admission(question, factsOf(NOW, { memory })).blocked;
}

describe("an action whose outcome is not known", () => {
  it.each(["product-api", "gateway"])(
    "holds what concerns its target, be it the asker or the callee: %s",
    (who) => {
      expect(held(who)).toEqual({
        guard: "intent_unresolved",
        target: who,
        detail: "the outcome of an earlier action is not known yet",
      });
    },
  );

  it("holds nobody else, and not the later steps of its own run", () => {
    expect(held("other")).toBeUndefined();
    expect(held("gateway", true)).toBeUndefined();
  });
});
