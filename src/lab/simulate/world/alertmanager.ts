import { EPOCH_MS } from "../engine/time.ts";
import { type SignalName, WEB_TOKEN } from "../scenario.ts";
import { UNWELL } from "../strangers.ts";
import type { Site } from "./site.ts";
import type { World } from "./world.ts";

/** One alert as Alertmanager has it. */
export interface GenuineAlert {
  readonly fingerprint: string;
  readonly labels: Readonly<Record<string, string>>;
  startsAtMs: number;
  endsAtMs: number | undefined;
}

/** What a monitor was told of an alert, whatever it answered. */
export interface Heard {
  readonly fingerprint: string;
  /** Label `job`. */
  readonly job: string | undefined;
  readonly status: "firing" | "resolved";
  readonly startsAtMs: number;
  /** World time. */
  readonly atMs: number;
  /** It was answered with 200: it is on the monitor's disk. */
  taken: boolean;
}

interface Rule {
  readonly index: number;
  readonly name: string;
  readonly target: number;
  readonly job: string;
  readonly forMs: number;
  readonly holds: () => boolean;
  pendingSinceMs: number | undefined;
  alert: GenuineAlert | undefined;
  episodes: number;
}

const MINUTE = 60_000;
const GROUP_WAIT_MS = 30_000;
const REPEAT_MS = 5 * MINUTE;
const RETRY_MS = 15_000;

/** The rules of a world's Prometheus and the Alertmanager that tells the monitors of them. */
export class Alertmanager {
  readonly #world: World;
  readonly #sites: () => readonly Site[];
  readonly #rules: Rule[] = [];
  /** What each site took, newest last, by site and fingerprint. */
  readonly heard = new Map<string, Heard[]>();

  constructor(world: World, sites: () => readonly Site[]) {
    this.#world = world;
    this.#sites = sites;
    const { scenario, truth, time } = world;
    const rule = (name: string, job: string, forMs: number, holds: (target: number) => boolean) => {
      const target = scenario.targets.findIndex((t) => t.name === job);
      const of = { pendingSinceMs: undefined, alert: undefined, episodes: 0, index: this.#rules.length };
      if (target >= 0) this.#rules.push({ name, target, job, forMs, holds: () => holds(target), ...of });
    };
    rule("PipelineBacklogHigh", "telemetry-gateway", 10 * MINUTE, (target) => {
      return truth.level(target, "backlog", time.now) > 0.1;
    });
    rule("HighInvalidModelOutputs", "recommender-service", 5 * MINUTE, (target) => {
      return truth.suffers(target, "drift", time.now) && !truth.contained(target, "force-fallback", time.now);
    });
    const { strangers } = scenario;
    for (const { asker, signal, byAlert } of strangers?.playbooks ?? [])
      if (byAlert)
        rule(UNWELL, asker, 3 * MINUTE, (target) => {
          return truth.level(target, signal as SignalName, time.now) > 0.1;
        });
    if (strangers !== undefined)
      rule("MlflowUnreachable", "recommender-service", 2 * MINUTE, (target) => {
        return truth.suffers(target, "drift", time.now);
      });
    this.#evaluate();
  }

  #evaluate(): void {
    const { time, prometheus } = this.#world;
    // It only asks for calls later on: nothing is under way after it.
    time.after(
      MINUTE,
      () => this.#evaluate(),
      () => true,
    );
    // A Prometheus that cannot evaluate raises and ends nothing.
    if (prometheus.transport() !== undefined) return;
    for (const rule of this.#rules) {
      if (!rule.holds()) {
        rule.pendingSinceMs = undefined;
        if (rule.alert !== undefined) this.#resolve(rule, rule.alert);
        continue;
      }
      rule.pendingSinceMs ??= time.now;
      if (rule.alert === undefined && time.now - rule.pendingSinceMs >= rule.forMs) this.#fire(rule);
    }
  }

  #fire(rule: Rule): void {
    const alert: GenuineAlert = {
      fingerprint: fingerprintOf(rule.index, rule.name),
      labels: { alertname: rule.name, ...jobOf(rule), severity: "warning" },
      startsAtMs: EPOCH_MS + this.#world.time.now,
      endsAtMs: undefined,
    };
    rule.alert = alert;
    this.#world.line(`alert ${rule.name} fires`);
    const repeat = () => {
      if (rule.alert !== alert) return;
      this.tell(alert);
      this.#world.time.after(REPEAT_MS, repeat);
    };
    this.#world.time.after(GROUP_WAIT_MS, repeat);
  }

  #resolve(rule: Rule, alert: GenuineAlert): void {
    rule.alert = undefined;
    alert.endsAtMs = EPOCH_MS + this.#world.time.now;
    this.#world.line(`alert ${rule.name} ends`);
    this.#world.time.after(GROUP_WAIT_MS, () => this.tell(alert));
  }

  /** Sends an alert to every monitor, as it is now, through what may go wrong on the way. */
  tell(alert: GenuineAlert): void {
    const { faults } = this.#world;
    const sent = { ...alert };
    for (const site of this.#sites()) {
      if (faults.meet("alert_lost") !== undefined) continue;
      const late = faults.meet("alert_late");
      this.#send(site, sent, late === undefined ? 100 : 100 + 4 * MINUTE * late.event.x, 0);
      if (faults.meet("alert_twice") !== undefined) this.#send(site, sent, 400, 0);
    }
  }

  #send(site: Site, alert: GenuineAlert, afterMs: number, attempts: number): void {
    const { time } = this.#world;
    time.after(afterMs, async () => {
      // Told is told: that it is not taken, or that the monitor dies of it, says not that it was not heard.
      const heard = site.loop === undefined ? undefined : this.told(site, alert);
      const status = await site.webhook(webhookOf([alert]), WEB_TOKEN);
      if (status === 200 && heard !== undefined) heard.taken = true;
      // As Alertmanager does: soon again, then with every group interval, for as long as it knows of the alert.
      else if (attempts < 60) this.#send(site, alert, attempts < 6 ? RETRY_MS : REPEAT_MS, attempts + 1);
    });
  }

  /** Keeps in mind that a monitor was told of an alert. */
  told(site: Site, { fingerprint, labels, startsAtMs, endsAtMs }: GenuineAlert): Heard {
    const status = endsAtMs === undefined ? "firing" : "resolved";
    const key = `${site.name} ${fingerprint}`;
    const atMs = this.#world.time.now;
    const heard: Heard = { fingerprint, job: labels.job, status, startsAtMs, atMs, taken: false };
    const before = this.heard.get(key);
    if (before === undefined) this.heard.set(key, [heard]);
    else before.push(heard);
    this.#world.line(`${site.name} told of ${fingerprint} ${status}`);
    return heard;
  }

  /** An alert that is genuine, but of no rule here: for faults that make one up. */
  ghost(n: number, flavour: number): GenuineAlert | undefined {
    const rule = this.#rules[Math.floor(n * this.#rules.length)];
    if (rule === undefined) return undefined;
    return {
      fingerprint: fingerprintOf(100 + flavour, rule.name),
      labels: { alertname: rule.name, ...jobOf(rule), ghost: String(flavour) },
      startsAtMs: EPOCH_MS + this.#world.time.now - MINUTE,
      endsAtMs: undefined,
    };
  }
}

/** MLflow is none of the targets, so that whoever is called asks. */
function jobOf({ name, job }: Rule): { readonly job?: string } {
  return name === "MlflowUnreachable" ? {} : { job };
}

function fingerprintOf(n: number, name: string): string {
  return `${name.length.toString(16).padStart(4, "0")}${n.toString(16).padStart(12, "0")}`;
}

/** Version 4 of Alertmanager's webhook. */
export function webhookOf(alerts: readonly GenuineAlert[]): unknown {
  const time = (ms: number) => new Date(ms).toISOString();
  const over = alerts.every((a) => a.endsAtMs !== undefined);
  return {
    version: "4",
    groupKey: '{}:{alertname="x"}',
    truncatedAlerts: 0,
    status: over ? "resolved" : "firing",
    receiver: "self-heal",
    groupLabels: {},
    commonLabels: {},
    commonAnnotations: {},
    externalURL: "http://alertmanager:9093",
    alerts: alerts.map((a) => ({
      status: a.endsAtMs === undefined ? "firing" : "resolved",
      labels: a.labels,
      annotations: {},
      startsAt: time(a.startsAtMs),
      endsAt: a.endsAtMs === undefined ? "0001-01-01T00:00:00Z" : time(a.endsAtMs),
      generatorURL: "",
      fingerprint: a.fingerprint,
    })),
  };
}
