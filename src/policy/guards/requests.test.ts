import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseAnswer, parsePause, parseSilence } from "./requests.ts";

const now = { wallMs: 1_760_000_000_000, monoMs: 5000 };
const given = { id: "s-1", now };
const said = { author: "ana", reason: "load test" };

describe("what a person may ask for", () => {
  it("a silence, for so long from now or later", () => {
    expect(parseSilence({ ...said, duration_seconds: 60 }, given)).toEqual({
      value: {
        id: "s-1",
        target: "*",
        signal: "*",
        action: "*",
        ...said,
        startsAtMs: now.wallMs,
        endsAtMs: now.wallMs + 60_000,
      },
    });
    const later = {
      ...said,
      target: "shop-*",
      signal: "memory",
      action: "mitigate",
      duration_seconds: 1.5,
      starts_in_seconds: 10,
    };
    expect(parseSilence(later, given)).toMatchObject({
      value: { target: "shop-*", startsAtMs: now.wallMs + 10_000, endsAtMs: now.wallMs + 11_500 },
    });
  });

  it("a pause, with or without an end", () => {
    expect(parsePause(said, now)).toEqual({ value: { by: "ana", reason: "load test", since: now } });
    expect(parsePause({ ...said, duration_seconds: 60 }, now)).toMatchObject({
      value: { untilMs: now.wallMs + 60_000, untilMonoMs: 65_000 },
    });
  });

  it("an answer to an escalation", () => {
    const value = { by: "ana", reason: "load test", target: "shop" };
    expect(parseAnswer({ ...said, target: "shop", answer: "go_on" })).toEqual({
      value: { ...value, answer: "go_on" },
    });
    expect(parseAnswer({ ...said, target: "shop", answer: "stay_stopped", duration_seconds: 60 })).toEqual({
      value: { ...value, answer: "stay_stopped", forMs: 60_000 },
    });
  });
});

describe("what is wrong is named, all of it", () => {
  const fields = (parsed: object) =>
    "problems" in parsed
      ? (parsed.problems as { field: string; message: string }[]).map((p) => `${p.field} ${p.message}`)
      : [];

  it.each<[unknown, string[]]>([
    [null, ["body must be a JSON object"]],
    [[], ["body must be a JSON object"]],
    [
      {},
      [
        "author must say who asks for it, in at most 100 characters",
        "reason must say why, in at most 500 characters",
        "duration_seconds must be a number of seconds from 1 up to 7776000 (90 days)",
      ],
    ],
    [
      { ...said, duration: 60, duration_seconds: "60" },
      [
        "duration is not known here; known: target, signal, action, author, reason, duration_seconds, starts_in_seconds",
        "duration_seconds must be a number of seconds from 1 up to 7776000 (90 days)",
      ],
    ],
    [
      { author: " ", reason: "x".repeat(501), duration_seconds: 1e9, target: "a b", signal: "" },
      [
        "target must be a name, * for any run of characters, at most 200 characters",
        "signal must be a name, * for any run of characters, at most 200 characters",
        "author must say who asks for it, in at most 100 characters",
        "reason must say why, in at most 500 characters",
        "duration_seconds must be a number of seconds from 1 up to 7776000 (90 days)",
      ],
    ],
    [
      { ...said, duration_seconds: 60, constructor: 1 },
      [expect.stringMatching(/^constructor is not known/) as unknown as string],
    ],
  ])("of a silence %j", (body, problems) => {
    expect(fields(parseSilence(body, given))).toEqual(problems);
  });

  it("of a pause and of an answer", () => {
    expect(fields(parsePause({ ...said, duration_seconds: 0 }, now))).toHaveLength(1);
    expect(fields(parseAnswer({ ...said, target: "shop", answer: "perhaps" }))).toEqual([
      'answer must be "go_on" or "stay_stopped"',
    ]);
    expect(fields(parseAnswer({ ...said, target: "shop", answer: "go_on", duration_seconds: 5 }))).toEqual([
      'duration_seconds has a meaning for "stay_stopped" only',
    ]);
  });

  it("whatever is sent, there is either a whole value or a problem", () => {
    const body = fc.dictionary(
      fc.constantFrom("target", "author", "reason", "duration_seconds", "starts_in_seconds", "answer", "x"),
      fc.oneof(fc.string(), fc.double(), fc.constantFrom("go_on", "ana", 60, null, true), fc.array(fc.nat())),
    );
    fc.assert(
      fc.property(fc.oneof(body, fc.anything()), (sent) => {
        for (const parsed of [parseSilence(sent, given), parsePause(sent, now), parseAnswer(sent)]) {
          if ("problems" in parsed) expect(parsed.problems.length).toBeGreaterThan(0);
          else expect(JSON.stringify(parsed.value)).not.toMatch(/null/);
        }
        const silence = parseSilence(sent, given);
        if ("value" in silence) expect(silence.value.endsAtMs).toBeGreaterThan(silence.value.startsAtMs);
      }),
      { numRuns: 2000 },
    );
  });
});
