import type { Env } from "../kit/env.ts";
import { ServiceConfigError } from "../kit/errors.ts";

/** Settings that only the gateway has. */
export interface GatewaySettings {
  /** Port of the gateway's own MQTT listener; 0: any free one. Not used when `mqttUrl` is set. */
  readonly mqttPort: number;
  /** A broker to subscribe to, instead of listening. */
  readonly mqttUrl: string | undefined;
  /** Name under which the broker keeps the gateway's sessions. */
  readonly mqttClientId: string;
  /** A NATS server with JetStream as the buffer, instead of the embedded one. */
  readonly natsUrl: string | undefined;
  /** Messages each region's buffer holds. */
  readonly capacity: number;
  /** Messages a second that are written downstream, all regions together. */
  readonly consumeRate: number;
  /** Messages a second each region may send when no limit is set. */
  readonly rateLimit: number;
  readonly dedupWindowMs: number;
  readonly retryBaseMs: number;
  readonly breakerPauseMs: number;
  readonly retentionMs: number;
}

/** Throws `ServiceConfigError` naming the variable and what would be right. An empty variable counts as absent. */
export function readGatewaySettings(env: Env): GatewaySettings {
  const whole = (name: string, fallback: number, min: number, max: number) =>
    wholeNumber({ name, text: env[name], fallback, min, max });
  return {
    mqttPort: whole("GATEWAY_MQTT_PORT", 1_883, 0, 65_535),
    mqttUrl: urlOf("MQTT_URL", env.MQTT_URL, ["mqtt:", "mqtts:", "ws:", "wss:"]),
    mqttClientId: clientId(env.GATEWAY_CLIENT_ID),
    natsUrl: urlOf("NATS_URL", env.NATS_URL, ["nats:", "tls:"]),
    capacity: whole("GATEWAY_BUFFER_CAPACITY", 250_000, 1, 100_000_000),
    consumeRate: whole("GATEWAY_CONSUME_RATE", 5_000, 1, 1_000_000),
    rateLimit: whole("GATEWAY_REGION_RATE_LIMIT", 10_000, 1, 1_000_000),
    dedupWindowMs: whole("GATEWAY_DEDUP_WINDOW_SECONDS", 600, 1, 86_400) * 1_000,
    retryBaseMs: whole("GATEWAY_RETRY_BASE_MS", 1_000, 1, 600_000),
    breakerPauseMs: whole("GATEWAY_BREAKER_PAUSE_MS", 5_000, 1, 600_000),
    retentionMs: whole("GATEWAY_STORE_RETENTION_SECONDS", 86_400, 1, 31_536_000) * 1_000,
  };
}

function wholeNumber(options: {
  readonly name: string;
  readonly text: string | undefined;
  readonly fallback: number;
  readonly min: number;
  readonly max: number;
}): number {
  const { name, text, fallback, min, max } = options;
  if (text === undefined || text === "") return fallback;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new ServiceConfigError(
    `${name} is ${JSON.stringify(text)}: expected a whole number, ${min} <= value <= ${max}`,
  );
}

function urlOf(name: string, text: string | undefined, schemes: readonly string[]): string | undefined {
  if (text === undefined || text === "") return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && schemes.includes(url.protocol) && url.hostname !== "") return text;
  // The value may hold a password: it is not repeated.
  throw new ServiceConfigError(`${name} is not a URL that can be used: expected ${schemes[0]}//HOST:PORT`);
}

function clientId(text: string | undefined): string {
  if (text === undefined || text === "") return "helius-gateway";
  if (/^[A-Za-z0-9._-]{1,64}$/.test(text)) return text;
  throw new ServiceConfigError(
    `GATEWAY_CLIENT_ID is ${JSON.stringify(text)}: expected 1 to 64 letters, digits, or . _ -`,
  );
}
