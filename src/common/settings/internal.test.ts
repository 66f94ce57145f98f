import { describe, expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import { flag, ofKind, seconds, setting } from "./fields.ts";
import { type Internal, toInternal } from "./internal.ts";

const schema = z
  .strictObject({
    min_r2: z.number().default(0.2),
    window_seconds: setting(seconds(1, 60).default(1.5), "window"),
    exit_share: z.number().optional(),
    retry: z.strictObject({ max_wait_seconds: seconds(0, 9).default(2) }).prefault({}),
    on: flag().default(true),
    scan_pages: ofKind(z.strictObject({ max_pages: z.number() }).optional()),
    labels: z.record(z.string(), z.number()).default({}),
    steps: z.array(z.strictObject({ hold_seconds: z.number() })).default([]),
    at: z
      .string()
      .transform((text) => ({ at_seconds: text }))
      .optional(),
  })
  .prefault({});

describe("settings as code has them", () => {
  it("are in milliseconds, with defaults, and absent where they are", () => {
    const given = {
      scan_pages: { max_pages: 2 },
      labels: { per_second: 3, x_seconds: 4 },
      steps: [{ hold_seconds: 7 }],
      at: "noon",
    };
    const internal = toInternal(schema, schema.parse(given));
    expect(internal).toStrictEqual({
      minR2: 0.2,
      windowMs: 1500,
      retry: { maxWaitMs: 2000 },
      on: true,
      scan_pages: { maxPages: 2 },
      labels: { per_second: 3, x_seconds: 4 },
      steps: [{ holdMs: 7000 }],
      at: { at_seconds: "noon" },
    });
  });

  it("have the types of what they are", () => {
    type Has = Internal<typeof schema>;
    expectTypeOf<Has["windowMs"]>().toEqualTypeOf<number>();
    expectTypeOf<Has["exitShare"]>().toEqualTypeOf<number | undefined>();
    expectTypeOf<Has["retry"]["maxWaitMs"]>().toEqualTypeOf<number>();
    expectTypeOf<Has["labels"]>().toEqualTypeOf<Record<string, number>>();
    expectTypeOf<Has["steps"][number]["holdMs"]>().toEqualTypeOf<number>();
  });
});
