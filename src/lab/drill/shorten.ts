import { parse, stringify } from "yaml";

// Prometheus' and Alertmanager's own configuration, as it is shipped, for a drill: other addresses, shorter times.

const UNITS_MS: readonly (readonly [unit: string, ms: number])[] = [
  ["ms", 1],
  ["s", 1_000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
];

/** A duration as Prometheus writes it, e.g. `10m` or `1m30s`, milliseconds. Throws for anything else. */
export function durationMs(text: string): number {
  const parts = [...text.matchAll(/(\d+)(ms|[smhd])/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== text)
    throw new Error(`"${text}" is no duration such as 30s or 10m`);
  return parts.reduce((total, [, number, unit]) => {
    const [, ms = 0] = UNITS_MS.find(([name]) => name === unit) ?? [];
    return total + Number(number) * ms;
  }, 0);
}

function shorter(text: string, speed: number): string {
  return `${Math.round(durationMs(text) / speed)}ms`;
}

const TIMES = /\[((?:\d+(?:ms|[smhd]))+)\]|\boffset ((?:\d+(?:ms|[smhd]))+)/g;

/** A rule file with `for`, `keep_firing_for`, and the windows and offsets of expressions divided by the speed. */
export function shortenRules(text: string, speed: number): string {
  const file = parse(text) as { groups: { rules: Record<string, unknown>[] }[] };
  for (const { rules } of file.groups)
    for (const rule of rules) {
      for (const key of ["for", "keep_firing_for"])
        if (typeof rule[key] === "string") rule[key] = shorter(rule[key], speed);
      rule.expr = String(rule.expr).replaceAll(
        TIMES,
        (_, window: string | undefined, offset: string | undefined) =>
          window === undefined ? `offset ${shorter(offset ?? "", speed)}` : `[${shorter(window, speed)}]`,
      );
    }
  return stringify(file);
}

interface Route {
  routes?: Route[];
  [key: string]: unknown;
}

/**
 * Alertmanager's configuration with its times divided by the speed, the monitor's webhook at `webhookUrl` with the token
 * of `tokenFile`, and no templates.
 */
export function shortenAlertmanager(
  text: string,
  options: { readonly speed: number; readonly webhookUrl: string; readonly tokenFile: string },
): string {
  const file = parse(text) as {
    templates?: unknown;
    route: Route;
    receivers: { name: string; webhook_configs?: Record<string, unknown>[] }[];
  };
  delete file.templates;
  shortenRoute(file.route, options.speed);
  for (const receiver of file.receivers)
    for (const webhook of receiver.webhook_configs ?? []) {
      if (receiver.name !== "predictive-monitor") continue;
      webhook.url = options.webhookUrl;
      const http = webhook.http_config as { authorization: Record<string, unknown> };
      http.authorization.credentials_file = options.tokenFile;
    }
  return stringify(file);
}

function shortenRoute(route: Route, speed: number): void {
  for (const key of ["group_wait", "group_interval", "repeat_interval"]) {
    // Alertmanager takes no interval of 0.
    const ms = typeof route[key] === "string" ? durationMs(route[key]) : 0;
    if (ms > 0) route[key] = `${Math.max(1, Math.round(ms / speed / 1_000))}s`;
  }
  for (const inner of route.routes ?? []) shortenRoute(inner, speed);
}
