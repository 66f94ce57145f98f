import { pino } from "pino";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { beatRegularly } from "./heartbeat.ts";

const HEARTBEAT_MS = 240_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("writes a line at least every four minutes until it is stopped", () => {
  const lines: Record<string, unknown>[] = [];
  const logger = pino({ messageKey: "message" }, { write: (line) => void lines.push(JSON.parse(line)) });
  const clock = { wallMs: () => Date.now(), monoMs: () => Date.now() };
  const stop = beatRegularly({ logger, clock });
  vi.advanceTimersByTime(HEARTBEAT_MS - 1);
  expect(lines).toEqual([]);
  vi.advanceTimersByTime(1 + HEARTBEAT_MS);
  expect(lines.map((l) => [l.message, l.uptime_seconds])).toEqual([
    ["service at work", 240],
    ["service at work", 480],
  ]);
  stop();
  vi.advanceTimersByTime(10 * HEARTBEAT_MS);
  expect(lines.length).toBe(2);
});
