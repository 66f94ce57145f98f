import { describe, expect, it } from "vitest";
import { within } from "./within.ts";

describe("within", () => {
  it("passes results and errors through", async () => {
    const { signal } = new AbortController();
    await expect(within(Promise.resolve(3), signal)).resolves.toBe(3);
    await expect(within(Promise.reject(new Error("no")), signal)).rejects.toThrow("no");
  });

  it("rejects at once under a signal that has aborted already", async () => {
    await expect(within(new Promise(() => {}), AbortSignal.abort())).rejects.toThrow("by the deadline");
  });
});
