import type { Registry } from "prom-client";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createRegistry } from "../../../common/telemetry/registry.ts";
import { capturedLog, eventually, ManualClock } from "../../kit/kit.testkit.ts";
import {
  answersStatus,
  answersWell,
  GOOD_DECISION,
  sendText,
  startTestAssistant,
  type TestAssistant,
} from "../assistant.testkit.ts";
import { MAX_OUTPUT_BYTES } from "../decision.ts";
import { CIRCUIT_OPEN_MESSAGE, Failover } from "./failover.ts";

let primary: TestAssistant;
let secondary: TestAssistant;
let clock: ManualClock;
let registry: Registry;
let failover: Failover;

beforeEach(async () => {
  [primary, secondary] = await Promise.all([startTestAssistant(), startTestAssistant()]);
  clock = new ManualClock();
  registry = createRegistry({ processMetrics: false });
  failover = new Failover({
    assistants: [
      { name: "primary", url: primary.url },
      { name: "secondary", url: secondary.url },
    ],
    deadlineMs: 1_000,
    minCalls: 4,
    openMs: 5_000,
    clock,
    logger: capturedLog().logger,
    registry,
  });
});
afterEach(async () => {
  await failover.close();
  await Promise.all([primary.close(), secondary.close()]);
});

async function count(series: string): Promise<number> {
  const line = (await registry.metrics()).split("\n").find((text) => text.startsWith(`${series} `));
  if (line === undefined) throw new Error(`there is no series ${series}`);
  return Number(line.slice(series.length + 1));
}

describe("failover", () => {
  test("the primary answers; the secondary is not asked", async () => {
    expect(await failover.decide("x")).toEqual({
      decided: true,
      decision: GOOD_DECISION,
      assistant: "primary",
    });
    expect(secondary.calls()).toBe(0);
    expect(await count('model_requests_total{assistant="primary",outcome="ok"}')).toBe(1);
    expect(await count('model_requests_total{assistant="secondary",outcome="ok"}')).toBe(0);
  });

  test("the prompt arrives as it was sent, whatever is in it", async () => {
    const prompt = '"}],"\u0000 \u{1f525} </script>\n{"action":"x"}';
    let seen = "";
    primary.behave((response, text) => {
      seen = text;
      answersWell(response, text, {} as never);
    });
    await failover.decide(prompt);
    expect(seen).toBe(prompt);
  });

  test.each<[string, () => void, string]>([
    ["500", () => primary.behave(answersStatus(500)), "error"],
    ["404", () => primary.behave(answersStatus(404)), "error"],
    ["204 without a body", () => primary.behave(answersStatus(204)), "error"],
    [
      "a redirect, which is not followed",
      () => primary.behave((r) => void r.writeHead(302, { location: `${secondary.url}/assist` }).end()),
      "error",
    ],
    ["a closed connection", () => primary.behave((r) => r.destroy()), "error"],
    ["silence", () => primary.behave(() => undefined), "timeout"],
    [
      "headers of 100 KB",
      () => primary.behave((r) => r.writeHead(200, { x: "y".repeat(100_000) }).end()),
      "error",
    ],
  ])("%s: the secondary answers, and it is no invalid output", async (_name, arrange, outcome) => {
    arrange();
    expect(await failover.decide("x")).toMatchObject({ decided: true, assistant: "secondary" });
    expect(secondary.calls()).toBe(1);
    expect(await count(`model_requests_total{assistant="primary",outcome="${outcome}"}`)).toBe(1);
    expect(await registry.metrics()).not.toMatch(/model_invalid_outputs_total\{.*\} [1-9]/);
  });

  test.each<[string, string, string]>([
    ["prose", "I would clear the cache.", "not_json"],
    ["an unknown action", JSON.stringify({ ...GOOD_DECISION, action: "drop" }), "schema"],
    ["a further field", JSON.stringify({ ...GOOD_DECISION, tool: "x" }), "schema"],
    ["the router's fallback", JSON.stringify({ ...GOOD_DECISION, action: "safemode_fallback" }), "schema"],
    ["nothing", "", "not_json"],
    [
      "an output just too large",
      `${" ".repeat(MAX_OUTPUT_BYTES)}${JSON.stringify(GOOD_DECISION)}`,
      "too_large",
    ],
  ])("%s is counted as invalid and failed over", async (_name, output, reason) => {
    primary.behave((response) => sendText(response, output));
    expect(await failover.decide("x")).toMatchObject({ decided: true, assistant: "secondary" });
    expect(await count(`model_invalid_outputs_total{assistant="primary",reason="${reason}"}`)).toBe(1);
    expect(await count('model_requests_total{assistant="primary",outcome="invalid"}')).toBe(1);
  });

  test("an endless output is cut off after a few kilobytes, and its connection closed", async () => {
    let sent = 0;
    let closed = false;
    primary.behave((response) => {
      response.writeHead(200);
      response.on("close", () => {
        closed = true;
      });
      const pour = () => {
        while (!response.destroyed) {
          sent += 65_536;
          if (!response.write(Buffer.alloc(65_536, " "))) {
            response.once("drain", pour);
            return;
          }
        }
      };
      pour();
    });
    expect(await failover.decide("x")).toMatchObject({ assistant: "secondary" });
    await eventually(() => closed);
    expect(sent).toBeLessThan(16 * 1_048_576);
    expect(await count('model_invalid_outputs_total{assistant="primary",reason="too_large"}')).toBe(1);
  });

  test("a dripping output is cut off at the deadline, though each byte comes in time", async () => {
    let closed = false;
    primary.behave((response) => {
      response.writeHead(200);
      response.write("{");
      const timer = setInterval(() => response.write(" "), 20);
      response.on("close", () => {
        clearInterval(timer);
        closed = true;
      });
    });
    const startMs = performance.now();
    expect(await failover.decide("x")).toMatchObject({ assistant: "secondary" });
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(990);
    await eventually(() => closed);
    expect(await count('model_invalid_outputs_total{assistant="primary",reason="dripping"}')).toBe(1);
  });

  test("both fail: no decision, and it took no longer than both deadlines", async () => {
    primary.behave(() => undefined);
    secondary.behave((response) => sendText(response, "{}"));
    expect(await failover.decide("x")).toEqual({
      decided: false,
      circuitOpen: false,
      aborted: false,
      message: "No assistant gave a valid decision.",
    });
  });
});

describe("the circuits", () => {
  test("an assistant that fails is left alone; both open: nobody is asked, and the answer is immediate", async () => {
    primary.behave(answersStatus(500));
    for (let call = 0; call < 4; call += 1) await failover.decide("x");
    expect(failover.states()).toEqual({ primary: "open", secondary: "closed" });
    expect(await failover.decide("x")).toMatchObject({ assistant: "secondary" });
    expect([primary.calls(), secondary.calls()]).toEqual([4, 5]);
    secondary.behave(answersStatus(500));
    while (failover.states().secondary !== "open") await failover.decide("x");
    const before = [primary.calls(), secondary.calls()];
    expect(await failover.decide("x")).toEqual({
      decided: false,
      circuitOpen: true,
      aborted: false,
      message: CIRCUIT_OPEN_MESSAGE,
    });
    expect([primary.calls(), secondary.calls()]).toEqual(before);
    expect(await count('llm_router_circuit_state{assistant="primary",state="open"}')).toBe(1);
    expect(await count('llm_router_circuit_state{assistant="primary",state="closed"}')).toBe(0);
    primary.behave(answersWell);
    clock.advance(5_000);
    expect(await failover.decide("x")).toMatchObject({ assistant: "primary" });
    expect(failover.states()).toEqual({ primary: "closed", secondary: "open" });
  });

  test("stopping ends a call under way, and says nothing about the assistant", async () => {
    primary.behave(() => undefined);
    const under = failover.decide("x");
    await eventually(() => primary.calls() === 1);
    await failover.close();
    expect(await under).toMatchObject({ decided: false, aborted: true });
    expect(await count('model_requests_total{assistant="primary",outcome="error"}')).toBe(0);
  });
});
