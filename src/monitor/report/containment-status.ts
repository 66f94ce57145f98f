import type { TickReport } from "../cycle/types.ts";
import type { AlertState, Playbook } from "../kernel/containment.ts";
import type { Run } from "../playbooks/run.ts";
import { iso, isoOrNull } from "./json.ts";
import { playbookFields } from "./log.ts";

/** An alert as the status API shows it. */
export function alertFields(alert: AlertState) {
  const { fingerprint, name, status, labels } = alert;
  return {
    ...{ fingerprint, name, status, labels },
    starts_at: iso(alert.startsAtMs),
    ends_at: isoOrNull(alert.endsAtMs),
    received_at: iso(alert.receivedAt.wallMs),
  };
}

/** A playbook, what was last decided on it, and its newest run. */
export function playbookStatus(playbook: Playbook, run: Run | undefined, latest: TickReport | undefined) {
  const { name, alert, forecast, steps } = playbook;
  const decided = latest?.playbooks.find((d) => d.playbook === name);
  return {
    name,
    alert: alert?.name ?? null,
    forecast: forecast === undefined ? null : `${forecast.target}/${forecast.signal}`,
    steps: steps.map((s) => ({ action: s.kind, on: s.on.name, parameters: s.parameters })),
    decision: decided === undefined ? null : playbookFields(decided),
    run: run === undefined ? null : runFields(run),
  };
}

function runFields(run: Run) {
  const { id, mode, status, cause, target } = run;
  return {
    ...{ id, mode, status, cause, target, metric: run.signal },
    started_at: iso(run.startedAt.wallMs),
    region: run.region ?? null,
    region_detail: run.regionWhy ?? null,
    steps: run.steps.map((s) => ({
      ...{ action: s.kind, on: s.on.name, status: s.status, detail: s.detail },
      at: isoOrNull(s.at?.wallMs),
      ends_at: isoOrNull(s.at && s.expiresMs && s.at.wallMs + s.expiresMs),
    })),
  };
}
