import { Agent } from "undici";
import { excerpt, exchange } from "../../../common/net/exchange.ts";
import { parseExposition } from "../../../monitor/sources/scrape/parser.ts";
import { type ClockAlert, createEpisodes } from "./episodes.ts";
import { CLOCK_METRICS, clockRules } from "./rules.ts";
import { createScrapes } from "./series.ts";

export interface AlertClock {
  stop(): Promise<void>;
}

export interface AlertClockOptions {
  /** Base URLs of the services by job. */
  readonly urls: ReadonlyMap<string, string>;
  /** Where alerts are posted, and the token that goes with them. */
  readonly webhookUrl: string;
  readonly token: string;
  readonly speed: number;
  /** Told of each alert that begins or ends, and of what went wrong. */
  readonly onNote: (line: string) => void;
}

/** Time between two scrapes, each followed by an evaluation, milliseconds. */
const EVERY_MS = 1_000;
const DEADLINE_MS = 900;
/** Alertmanager repeats to the monitor what fires, real milliseconds (alertmanager/alertmanager.yml). */
const REPEAT_MS = 60_000;
const LONGEST_WINDOW_MS = 300_000;

/**
 * Stands in for Prometheus and Alertmanager where a drill runs without them: scrapes the services, evaluates the alerts
 * for containment of `prometheus/rules` with their times divided by the speed, and posts them to the monitor's webhook
 * as Alertmanager would. `--with prometheus` has the real ones do it.
 */
export function startAlertClock(options: AlertClockOptions): AlertClock {
  const { speed, onNote } = options;
  const scrapes = createScrapes({ keepMs: LONGEST_WINDOW_MS / speed + 5_000, staleMs: 5 * EVERY_MS });
  const episodes = createEpisodes(clockRules(speed), scrapes);
  const agent = new Agent({ connections: 2 });
  const limits = { dispatcher: agent, maxBytes: 4_000_000 };
  const told = new Map<string, { readonly status: string; readonly atMs: number }>();
  // What could not be told is told again, as Alertmanager would.
  const markUnnotified = new Map<string, ClockAlert>();
  let running = Promise.resolve();
  let busy = false;

  async function round(): Promise<void> {
    await Promise.all([...options.urls].map(([job, url]) => scrape(job, url)));
    const nowMs = performance.now();
    const alerts = episodes.evaluate({ monoMs: nowMs, wallMs: Date.now() });
    for (const alert of alerts) {
      const last = told.get(alert.fingerprint);
      const due = last?.status !== alert.status || nowMs - last.atMs >= REPEAT_MS / speed;
      if (!due) continue;
      if (last?.status !== alert.status) onNote(`alert ${alert.labels.alertname} ${alert.status}`);
      told.set(alert.fingerprint, { status: alert.status, atMs: nowMs });
      markUnnotified.set(alert.fingerprint, alert);
    }
    for (const [fingerprint, alert] of markUnnotified)
      if ((await post(alert)) && markUnnotified.get(fingerprint) === alert)
        markUnnotified.delete(fingerprint);
  }

  async function scrape(job: string, url: string): Promise<void> {
    const page = await exchange({ ...limits, url: `${url}/metrics`, timeoutMs: DEADLINE_MS });
    if (!page.ok || page.status !== 200) return;
    try {
      scrapes.add(job, parseExposition(page.body.toString(), CLOCK_METRICS).samples, performance.now());
    } catch {
      // A service without a page has no samples; its series go stale.
    }
  }

  async function post(alert: ClockAlert): Promise<boolean> {
    const answer = await exchange({
      ...limits,
      url: options.webhookUrl,
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${options.token}` },
      body: JSON.stringify(webhookOf(alert)),
      timeoutMs: 5 * DEADLINE_MS,
    });
    if (answer.ok && answer.status === 200) return true;
    const why = answer.ok ? `HTTP ${answer.status} ${excerpt(answer.body, 200)}` : answer.detail;
    onNote(`the monitor did not take alert ${alert.labels.alertname}: ${why}`);
    return false;
  }

  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    running = round().finally(() => {
      busy = false;
    });
  }, EVERY_MS);
  return {
    async stop() {
      clearInterval(timer);
      await running;
      await agent.destroy();
    },
  };
}

/** One alert as a payload of Alertmanager's webhook, version 4. @internal for its tests */
export function webhookOf(alert: ClockAlert): Record<string, unknown> {
  const { labels, status } = alert;
  return {
    version: "4",
    groupKey: `{}/{containment="true"}:${JSON.stringify(labels)}`,
    truncatedAlerts: 0,
    status,
    receiver: "predictive-monitor",
    groupLabels: labels,
    commonLabels: labels,
    commonAnnotations: {},
    externalURL: "http://127.0.0.1/alert-clock",
    alerts: [{ ...alert, annotations: {}, generatorURL: "" }],
  };
}
