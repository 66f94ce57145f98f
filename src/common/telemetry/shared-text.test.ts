import { expect, test } from "vitest";
import { sharedText } from "./shared-text.ts";

function counted(perSecond = 20) {
  const state = { nowMs: 0, rendered: 0, fails: false };
  const text = sharedText({
    perSecond,
    monoMs: () => state.nowMs,
    render: () => {
      state.rendered += 1;
      if (state.fails) throw new Error("no registry");
      return `page ${state.rendered}`;
    },
  });
  return { state, text };
}

test("is fresh each time at a normal pace", async () => {
  const { state, text } = counted();
  for (let n = 1; n <= 100; n += 1) {
    expect(await text()).toBe(`page ${n}`);
    state.nowMs += 50;
  }
});

test("is shared in a flood, and fresh again after it", async () => {
  const { state, text } = counted();
  for (let n = 0; n < 10_000; n += 1) {
    await text();
    state.nowMs += 1;
  }
  // Twenty at once, then twenty a second for ten seconds.
  expect(state.rendered).toBeGreaterThan(200);
  expect(state.rendered).toBeLessThanOrEqual(220);
  state.nowMs += 1_000;
  const before = state.rendered;
  expect(await text()).toBe(`page ${before + 1}`);
});

test("a rendering that fails is told to who asked, and not shared", async () => {
  const { state, text } = counted(1);
  state.fails = true;
  await expect(text()).rejects.toThrow("no registry");
  state.fails = false;
  expect(await text()).toBe("page 2");
});
