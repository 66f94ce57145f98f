import { waitFor } from "../../setup/ports.ts";
import type { RunningPrometheus } from "../../setup/prometheus.ts";
import type { LogLine } from "./process.ts";
import { type MonitorHandle, quickConfig, type ServiceHandle, type World } from "./world.ts";

/** A fault, as the query of `POST /admin/fault`, and what it is called. */
export interface FaultCase {
  readonly name: "ramp" | "step";
  readonly query: string;
}

/** 15 ms a second for 200 s: over the SLO after 20 s, never over the hard limit. */
export const RAMP: FaultCase = { name: "ramp", query: "mode=latency&inc=3000&over=200" };
/** Two seconds for every request, at once. */
export const STEP: FaultCase = { name: "step", query: "mode=latency&inc=2000" };

/** Hard limit of P95 latency that the contract sets by default, milliseconds. */
export const HARD_LIMIT_MS = 5000;

export interface Healed {
  readonly fault: FaultCase;
  /** The monitor's event. */
  readonly event: LogLine;
  /** The service's unified event. */
  readonly served: LogLine;
  readonly source: string;
  /** From the injection to the service's own mitigation event, seconds. */
  readonly secondsToMitigation: number;
  /** What the monitor saw when it acted, milliseconds. */
  readonly p95Ms: number;
}

/** A product-api under load that has been quiet long enough to be judged, and the monitor that watches it. */
export interface Stage {
  readonly service: ServiceHandle;
  readonly monitor: MonitorHandle;
  /** Where it was asked for. */
  readonly prometheus: RunningPrometheus | undefined;
}

/**
 * Sets the stage.
 * @param options.prometheus path of the program; without it the monitor reads the service itself.
 */
export async function setStage(
  world: World,
  options: { readonly prometheus?: string; readonly cooldownS?: number; readonly rate?: number } = {},
): Promise<Stage> {
  const service = await world.service();
  world.load(service.url, options.rate);
  const prometheus =
    options.prometheus === undefined
      ? undefined
      : await world.prometheus({ binary: options.prometheus, targets: [service.name] });
  const monitor = await world.monitor({
    config: quickConfig({
      targets: [{ name: "product-api", url: service.url }],
      order: prometheus === undefined ? ["scrape"] : ["prometheus", "scrape"],
      ...(prometheus === undefined ? {} : { prometheusUrl: prometheus.url }),
      ...(options.cooldownS === undefined ? {} : { cooldownS: options.cooldownS }),
    }),
  });
  await settled(monitor);
  return { service, monitor, prometheus };
}

/** Waits until P95 has been judged within its SLO for five cycles in a row. */
export async function settled(monitor: MonitorHandle, target = "product-api"): Promise<void> {
  await waitFor(
    () => {
      const last = monitor.series("p95_latency", target).slice(-5);
      return last.length === 5 && last.every((line) => line.decision === "below_slo");
    },
    { what: "five calm cycles", timeoutMs: 90_000 },
  );
}

/** Injects a fault and waits until the monitor has healed it. */
export async function injectAndHeal(
  { service, monitor }: Pick<Stage, "service" | "monitor">,
  fault: FaultCase,
  timeoutMs = 90_000,
): Promise<Healed> {
  const before = service.process.all("fault injected").length;
  const mitigated = monitor.process.all("mitigation executed").length;
  await service.inject(fault.query);
  const onset = await waitFor(() => service.process.all("fault injected")[before], {
    what: "the fault in the service's log",
  });
  const event = await waitFor(() => monitor.process.all("mitigation executed")[mitigated], {
    what: `a mitigation of the ${fault.name}; last seen: ${JSON.stringify(monitor.series("p95_latency").at(-1))}`,
    timeoutMs,
  });
  const served = await waitFor(
    () => service.autoMitigations().find((line) => line.idempotency_key === event.intent),
    { what: "the mitigation in the service's log" },
  );
  return {
    fault,
    event,
    served,
    source: String(event.source),
    secondsToMitigation: (Date.parse(String(served.ts)) - Date.parse(String(onset.ts))) / 1000,
    p95Ms: Number(event.current),
  };
}

/** One plain line with the figures the project quotes. */
export function figure({ fault, source, secondsToMitigation, p95Ms, event }: Healed): string {
  const share = ((100 * p95Ms) / HARD_LIMIT_MS).toFixed(0);
  return `figure ${fault.name} (${source}): mitigated ${secondsToMitigation.toFixed(1)} s after onset, ${event.metric} decided, P95 ${p95Ms.toFixed(0)} ms, ${share} % of the hard limit ${HARD_LIMIT_MS} ms`;
}
