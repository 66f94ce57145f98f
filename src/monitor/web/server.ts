import express, { type Express, type NextFunction, type Request, type Response } from "express";
import type { Registry } from "prom-client";
import { listen } from "../../common/net/listen.ts";
import { createBoundedServer, drainServer } from "../../common/security/bounded-server.ts";
import type { RefusalEvent } from "../../common/security/gate.ts";
import { printable } from "../../common/security/text.ts";
import type { TokenSet } from "../../common/security/tokens.ts";
import { pace, sharedText } from "../../common/telemetry/shared-text.ts";
import { type AlertsApi, alertWebhook } from "./alerts.ts";
import { routeAssets } from "./assets.ts";
import { type Auth, createAuth } from "./auth.ts";
import { jsonSender } from "./compressed.ts";
import { type ControlsApi, routeControls } from "./controls.ts";
import { ApiError } from "./errors.ts";
import { type EventStream, eventStream } from "./events.ts";
import { type ReplayApi, routeReplay } from "./replay.ts";
import { noParameters, route } from "./route.ts";
import { type PageApi, routeViews } from "./views.ts";

/** What the endpoints need of the monitor. */
export interface MonitorApi extends AlertsApi {
  /** Undefined when well, else what is wrong. */
  unhealthy(): string | undefined;
  /** Undefined when ready, else what is still missing. */
  unready(): string | undefined;
  status(): object;
  /** What the status page shows beyond the status. */
  readonly page: PageApi;
  readonly replay: ReplayApi;
  /** Undefined when the new configuration is in force, else why not. */
  reload(): Promise<string | undefined>;
  readonly lifecycle: boolean;
  /** Further names that the monitor is called by; another list after a reload. */
  hosts(): readonly string[];
  /** Of those who may tell the monitor something. */
  readonly tokens: TokenSet;
  /** Told of callers without one of them. */
  onRefusal(event: RefusalEvent): void;
  readonly registry: Registry;
  readonly controls: ControlsApi;
}

export interface MonitorServer {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

const CLOSE_MS = 5000;
const PATIENCE = { headersMs: 5000, requestMs: 10_000, keepAliveMs: 5000, silenceMs: 30_000 };
/** In a rush half as many more for a moment: a process may have 1,024 files open in many containers. */
const MAX_CONNECTIONS = 512;
const MAX_PER_ADDRESS = 384;
/** For a rush that comes while the process is busy. */
const BACKLOG = 4_096;
/** Renderings a second that a flood can cost; beyond, those who ask share the last one. */
const METRICS_PER_SECOND = 10;
const STATUS_PER_SECOND = 5;
/** Reloads a second that are carried out; each reads and checks the whole configuration. */
const RELOADS_PER_SECOND = 2;
const monoMs = () => performance.now();

/**
 * Starts the monitor's endpoints.
 * @throws ListenError
 */
export async function startMonitorServer(options: {
  host: string;
  port: number;
  api: MonitorApi;
}): Promise<MonitorServer> {
  const { host, api } = options;
  const { registry, tokens } = api;
  const auth = createAuth({
    registry,
    tokens,
    monoMs,
    hosts: () => api.hosts(),
    onRefusal: (event) => api.onRefusal(event),
  });
  const events = eventStream({ source: api.page, registry });
  const server = createBoundedServer({
    patience: PATIENCE,
    maxConnections: MAX_CONNECTIONS,
    maxPerAddress: MAX_PER_ADDRESS,
    handler: routes(api, auth, events),
  });
  const port = await listen(server, { ...options, backlog: BACKLOG }).catch((error) => {
    auth.stop();
    throw error;
  });
  const shown = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host.includes(":") ? `[${host}]` : host;
  return {
    port,
    url: `http://${shown}:${port}`,
    close: async () => {
      await drainServer(server, CLOSE_MS);
      auth.stop();
    },
  };
}

function routes(api: MonitorApi, auth: Auth, events: EventStream): Express {
  const app = express();
  app.disable("x-powered-by");
  app.set("query parser", "simple");
  app.use((_req, res, next) => {
    res.set({
      "content-security-policy":
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cache-control": "no-store",
    });
    next();
  });
  const probe = (wrong: () => string | undefined, well: string) => (_req: Request, res: Response) =>
    verdict(res, wrong(), well);
  route(app, "/-/healthy", { get: probe(() => api.unhealthy(), "Helius Self-Heal is Healthy.") });
  route(app, "/-/ready", { get: probe(() => api.unready(), "Helius Self-Heal is Ready.") });
  const metrics = sharedText({ render: () => api.registry.metrics(), perSecond: METRICS_PER_SECOND, monoMs });
  route(app, "/metrics", {
    get: async (_req, res) => void res.type(api.registry.contentType).send(await metrics()),
  });
  // Probes and scrapes come under any name; they tell what is well and change nothing.
  app.use(auth.site);
  const mayReload = pace({ perSecond: RELOADS_PER_SECOND, monoMs });
  const reload = [noParameters, (_req: Request, res: Response) => handleReload(api, res, mayReload)];
  route(app, "/-/reload", { post: reload, put: reload });
  const status = sharedText({
    render: () => JSON.stringify({ status: "success", data: api.status() }),
    perSecond: STATUS_PER_SECOND,
    monoMs,
  });
  const send = jsonSender();
  route(app, "/api/v1/status", {
    get: [noParameters, async (req, res) => send(req, res, await status())],
  });
  const door = [auth.require, noParameters];
  route(app, "/api/v1/alerts/webhook", { post: [...door, ...alertWebhook(api, api.registry)] });
  routeControls(app, api.controls, door);
  routeViews(app, api.page, events);
  routeReplay(app, api.replay, door);
  routeAssets(app);
  app.use(
    (req, res) =>
      void res.status(404).json({ status: "error", error: `nothing at ${printable(req.path, 200)}` }),
  );
  // Four parameters make it the error handler. The reason goes to who may read it; the stack to nobody.
  app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
    const { status = 500, message } = error as { status?: number; message?: string };
    const { headers = {}, details = {} } = error instanceof ApiError ? error : {};
    res
      .status(status)
      .set(headers)
      .json({ status: "error", error: message ?? String(error), ...details });
  });
  return app;
}

function verdict(res: Response, wrong: string | undefined, well: string): void {
  res
    .status(wrong === undefined ? 200 : 503)
    .type("text")
    .send(`${wrong ?? well}\n`);
}

async function handleReload(api: MonitorApi, res: Response, mayReload: () => boolean): Promise<void> {
  if (!api.lifecycle) {
    res
      .status(403)
      .type("text")
      .send("Reloading over HTTP is off; start with --web.enable-lifecycle, or send SIGHUP.\n");
    return;
  }
  if (!mayReload()) {
    res
      .status(429)
      .set("retry-after", "1")
      .type("text")
      .send(`More than ${RELOADS_PER_SECOND} reloads a second.\n`);
    return;
  }
  const wrong = await api.reload();
  res
    .status(wrong === undefined ? 200 : 500)
    .type("text")
    .send(wrong === undefined ? "" : `failed to reload config: ${wrong}\n`);
}
