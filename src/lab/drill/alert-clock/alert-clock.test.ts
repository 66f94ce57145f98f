import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { eventually } from "../../../services/kit/kit.testkit.ts";
import { startAlertClock, webhookOf } from "./clock.ts";
import { createEpisodes } from "./episodes.ts";
import { type ClockRule, clockRules } from "./rules.ts";
import { by, createScrapes, type Element, max, type Scrapes } from "./series.ts";

const SPEED = 30;

/** Scrapes of one job, a page a second. */
function scraped(job: string, pages: readonly Readonly<Record<string, number>>[]): Scrapes {
  const scrapes = createScrapes({ keepMs: 60_000, staleMs: 5_000 });
  pages.forEach((page, second) => {
    const samples = Object.entries(page).map(([key, value]) => {
      const [name = "", ...labels] = key.split(/[{}=,]/).filter((part) => part !== "");
      const pairs = Array.from({ length: labels.length / 2 }, (_, n): [string, string] => [
        labels[2 * n] ?? "",
        labels[2 * n + 1] ?? "",
      ]);
      return { name, labels: pairs, value, timestampMs: undefined };
    });
    scrapes.add(job, samples, 1_000 * second);
  });
  return scrapes;
}

const rule = (alert: string): ClockRule => {
  const found = clockRules(SPEED).find((one) => one.alert === alert);
  if (found === undefined) throw new Error(`no rule ${alert}`);
  return found;
};

describe("the rules", () => {
  test("are the containment alerts of prometheus/rules, with their times divided", () => {
    const rules = clockRules(SPEED);
    expect(rules.map(({ alert }) => alert).sort()).toEqual([
      "HighInvalidModelOutputs",
      "MlflowUnreachable",
      "PipelineBacklogHigh",
      "XaiDivergenceHigh",
    ]);
    expect(rule("PipelineBacklogHigh")).toMatchObject({ forMs: 20_000, labels: { containment: "true" } });
    expect(clockRules(1).find(({ alert }) => alert === "PipelineBacklogHigh")?.forMs).toBe(600_000);
  });

  test("PipelineBacklogHigh looks at the longest lane of a queue", () => {
    const of = (a: number, b: number) =>
      rule("PipelineBacklogHigh").evaluate(
        scraped("telemetry-gateway", [
          { "queue_depth{queue=telemetry,region=a}": a, "queue_depth{queue=telemetry,region=b}": b },
        ]),
        1_000,
      );
    expect(of(100, 60)).toEqual([]);
    expect(of(5, 101)).toEqual([{ labels: { job: "telemetry-gateway", queue: "telemetry" }, value: 101 }]);
  });

  test("HighInvalidModelOutputs needs a twentieth of at least 20 outputs within its window", () => {
    const pages = (invalidPerSecond: number, outputsPerSecond: number) =>
      Array.from({ length: 11 }, (_, s) => ({
        model_invalid_outputs_total: invalidPerSecond * s,
        "model_requests_total{a=1}": outputsPerSecond * s,
      }));
    const of = (invalid: number, outputs: number) =>
      rule("HighInvalidModelOutputs").evaluate(scraped("reco", pages(invalid, outputs)), 10_000);
    expect(of(1, 20)).toEqual([]);
    expect(of(1.1, 20)).toEqual([{ labels: { job: "reco" }, value: expect.closeTo(0.055) }]);
    expect(of(1, 1)).toEqual([]);
  });

  test("MlflowUnreachable is false where one of several reaches it, and silent without a registry", () => {
    const of = (page: Record<string, number>) =>
      rule("MlflowUnreachable").evaluate(scraped("reco", [page]), 1_000);
    expect(of({ "reco_engine_mlflow_connected{i=1}": 0, "reco_engine_mlflow_connected{i=2}": 1 })).toEqual(
      [],
    );
    expect(of({ reco_engine_mlflow_connected: 0 })).toHaveLength(1);
    expect(of({})).toEqual([]);
  });

  test("XaiDivergenceHigh is above 0.3", () => {
    const of = (value: number) =>
      rule("XaiDivergenceHigh").evaluate(scraped("reco", [{ reco_engine_xai_divergence: value }]), 1_000);
    expect([of(0.3).length, of(0.31).length]).toEqual([0, 1]);
  });
});

describe("scrapes", () => {
  test("a counter that was started again loses nothing and gains nothing", () => {
    const scrapes = scraped("j", [{ c: 100 }, { c: 110 }, { c: 3 }, { c: 5 }]);
    expect(scrapes.increase("c", 60_000, 4_000)).toEqual([{ labels: { job: "j" }, value: 15 }]);
    expect(scrapes.increase("c", 1_500, 3_500)).toEqual([{ labels: { job: "j" }, value: 2 }]);
    expect(scrapes.increase("c", 900, 3_500)).toEqual([]);
  });

  test("what has not been scraped for long is gone", () => {
    const scrapes = scraped("j", [{ g: 1 }]);
    expect(scrapes.latest("g", 5_000)).toHaveLength(1);
    expect(scrapes.latest("g", 5_001)).toEqual([]);
  });

  test("labels that are grouped by and absent are left out", () => {
    const vector: Element[] = [
      { labels: { a: "1", b: "x" }, value: 1 },
      { labels: { a: "1" }, value: 4 },
    ];
    expect(by(["a", "c"], vector, max)).toEqual([{ labels: { a: "1" }, value: 4 }]);
  });
});

describe("an episode", () => {
  const follow = (truths: string) => {
    let second = 0;
    const always: ClockRule = {
      alert: "A",
      labels: { severity: "x" },
      forMs: 3_000,
      keepFiringMs: 2_000,
      evaluate: () => (truths[second] === "1" ? [{ labels: { job: "j" }, value: 1 }] : []),
    };
    const episodes = createEpisodes([always], createScrapes({ keepMs: 1, staleMs: 1 }));
    return [...truths].map((_, s) => {
      second = s;
      return episodes.evaluate({ monoMs: 1_000 * s, wallMs: 1_000_000 + 1_000 * s });
    });
  };
  const states = (truths: string) =>
    follow(truths)
      .map(([alert]) => alert?.status[0] ?? "-")
      .join("");

  test("is pending for its time, fires, keeps firing for its time, and is resolved once", () => {
    expect(states("0111111000000")).toBe("----ffffr----");
  });

  test("begins anew when it was not true in between", () => {
    expect(states("0110111111")).toBe("-------fff");
  });

  test("has the rule's labels, the time it began, and one fingerprint", () => {
    const [first, second] = follow("11111").flat();
    expect(first).toMatchObject({
      labels: { job: "j", severity: "x", alertname: "A" },
      startsAt: new Date(1_003_000).toISOString(),
      endsAt: "0001-01-01T00:00:00Z",
    });
    expect(second?.fingerprint).toBe(first?.fingerprint);
    expect(first?.fingerprint).toMatch(/^[0-9a-f]{16}$/);
  });
});

describe("the clock", () => {
  const servers: Server[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });
  const serve = async (handler: Parameters<typeof createServer>[1]): Promise<string> => {
    const server = createServer(handler as never);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };

  test("tells of an alert with the token, again until it is taken, and of its end", async () => {
    let connected = 0;
    const reco = await serve((_request, response) => {
      response.end(`# TYPE reco_engine_mlflow_connected gauge\nreco_engine_mlflow_connected ${connected}\n`);
    });
    const heard: { status: string; authorization: string | undefined; body: Record<string, unknown> }[] = [];
    const monitor = await serve((request, response) => {
      let text = "";
      request.on("data", (chunk) => {
        text += chunk;
      });
      request.on("end", () => {
        const body = JSON.parse(text) as Record<string, unknown>;
        heard.push({ status: String(body.status), authorization: request.headers.authorization, body });
        response.writeHead(heard.length === 1 ? 503 : 200).end();
      });
    });
    const notes: string[] = [];
    const clock = startAlertClock({
      urls: new Map([["recommender-service", reco]]),
      webhookUrl: `${monitor}/api/v1/alerts/webhook`,
      token: "t",
      speed: 60,
      onNote: (line) => void notes.push(line),
    });
    try {
      await eventually(() => heard.length >= 2, 15_000);
      expect(heard[0]).toMatchObject({ status: "firing", authorization: "Bearer t" });
      expect(heard[0]?.body).toEqual(heard[1]?.body);
      expect(notes.some((line) => line.includes("HTTP 503"))).toBe(true);
      connected = 1;
      await eventually(() => heard.at(-1)?.status === "resolved", 15_000);
    } finally {
      await clock.stop();
    }
    expect(notes).toContain("alert MlflowUnreachable firing");
    expect(notes).toContain("alert MlflowUnreachable resolved");
  });

  test("speaks as Alertmanager does, version 4", () => {
    const alert = {
      status: "firing" as const,
      labels: { alertname: "A" },
      startsAt: "2026-01-01T00:00:00.000Z",
      endsAt: "0001-01-01T00:00:00Z",
      fingerprint: "f",
    };
    expect(webhookOf(alert)).toMatchObject({
      version: "4",
      status: "firing",
      truncatedAlerts: 0,
      groupLabels: { alertname: "A" },
      alerts: [{ status: "firing", fingerprint: "f", annotations: {} }],
    });
  });
});
