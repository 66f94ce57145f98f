import fc from "fast-check";

/** Text that a careful reader takes for a finite number that is not negative. */
const HONEST = /^\+?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/** Larger than any measurement, in any unit. */
const TOO_LARGE = 2 ** 53;

export function isHonestNumber(raw: unknown): boolean {
  if (typeof raw !== "string") return false;
  return /^-0*\.?0*(?:[eE].*)?$/.test(raw) || (HONEST.test(raw) && Number(raw) < TOO_LARGE);
}

/** Any JSON value, nested or not. */
export const anyJson = fc.jsonValue({ maxDepth: 3 });

/** Values of a sample that no reader may take for a number: by type, by form, by size, by sign. */
export const absurdValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("NaN", "+Inf", "-Inf", "Inf", "", null, true, false) },
  { weight: 3, arbitrary: fc.double({ min: 301, max: 1e9, noNaN: true }) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(
        fc.constantFrom("", " ", "$", "0x", "~", "#", "−", "'"),
        fc.integer({ min: 301, max: 99_999 }),
        fc.constantFrom("", " ", "ms", "%", ",5", "\u0000", "n", "f", "\n", "_000", "e", " 4", ".5.5"),
      )
      .map(([before, number, after]) => `${before}${number}${after}`)
      .filter((text) => !isHonestNumber(text)),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      "1e999",
      "9e99999",
      "-1e999",
      "nan",
      "NAN",
      "inf",
      "Infinity",
      "null",
      "undefined",
    ),
  },
  {
    weight: 2,
    arbitrary: fc
      .double({ min: TOO_LARGE, max: Number.MAX_VALUE, noNaN: true })
      .map((value) => String(value)),
  },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 1e9 }).map((n) => `-${n}`) },
  { weight: 2, arbitrary: fc.string().filter((text) => !isHonestNumber(text)) },
  { weight: 3, arbitrary: anyJson.filter((value) => !isHonestNumber(value)) },
);

/** So far from now that no clock is that wrong, seconds; also the hour of a time zone that was forgotten. */
export const absurdShift: fc.Arbitrary<number> = fc.oneof(
  fc.constantFrom(-3600, 3600, -86_400, 86_400, -1e9, 1e9, 1e12, -1e12, 1e300),
  fc.integer({ min: 61, max: 100_000 }),
  fc.integer({ min: -100_000, max: -120 }),
);

/** What may stand where a time in seconds is expected, and is none. */
export const noTime: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(null, "", "now", "1760000000", true, [], {}, 0, -1),
  anyJson.filter((value) => typeof value !== "number"),
);
