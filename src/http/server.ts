import { readFileSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import express, { type Express, type NextFunction, type Request, type Response } from "express";
import type { Registry } from "prom-client";

/** What the endpoints need of the monitor. */
export interface MonitorApi {
  /** Undefined when well, else what is wrong. */
  unhealthy(): string | undefined;
  /** Undefined when ready, else what is still missing. */
  unready(): string | undefined;
  status(): Record<string, unknown>;
  /** Undefined when the new configuration is in force, else why not. */
  reload(): Promise<string | undefined>;
  readonly lifecycle: boolean;
  readonly registry: Registry;
}

export interface MonitorServer {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

/** The port is taken or cannot be had. */
export class ListenError extends Error {
  override readonly name = "ListenError";
  readonly host: string;
  readonly port: number;
  constructor(host: string, port: number, cause: NodeJS.ErrnoException, flag = "--web.listen-address") {
    const what =
      cause.code === "EADDRINUSE"
        ? `port ${port} on ${host} is already in use`
        : `cannot listen on ${host}:${port} (${cause.code ?? cause.message})`;
    super(`${what}; choose another with ${flag}=HOST:PORT`, { cause });
    this.host = host;
    this.port = port;
  }
}

const CLOSE_MS = 5000;

/**
 * Starts the monitor's endpoints.
 * @throws ListenError
 */
export async function startMonitorServer(options: {
  host: string;
  port: number;
  api: MonitorApi;
}): Promise<MonitorServer> {
  const { host, port } = options;
  const app = routes(options.api);
  const server = await new Promise<Server>((resolve, reject) => {
    const listening = app.listen(port, host, (error?: Error) => {
      if (error === undefined) resolve(listening);
      else reject(new ListenError(host, port, error as NodeJS.ErrnoException));
    });
    listening.requestTimeout = 10_000;
    listening.headersTimeout = 5000;
    listening.keepAliveTimeout = 5000;
  });
  const bound = server.address() as AddressInfo;
  const shown = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host.includes(":") ? `[${host}]` : host;
  return {
    port: bound.port,
    url: `http://${shown}:${bound.port}`,
    close: () =>
      new Promise((resolve) => {
        const cut = setTimeout(() => server.closeAllConnections(), CLOSE_MS);
        server.close(() => {
          clearTimeout(cut);
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}

function routes(api: MonitorApi): Express {
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
  app
    .route("/-/healthy")
    .get((_req, res) => verdict(res, api.unhealthy(), "Helius Self-Heal is Healthy."))
    .all(only("GET, HEAD"));
  app
    .route("/-/ready")
    .get((_req, res) => verdict(res, api.unready(), "Helius Self-Heal is Ready."))
    .all(only("GET, HEAD"));
  const reload = (_req: Request, res: Response) => handleReload(api, res);
  app.route("/-/reload").post(reload).put(reload).all(only("POST, PUT"));
  app
    .route("/metrics")
    .get(async (_req, res) => {
      res.type(api.registry.contentType).send(await api.registry.metrics());
    })
    .all(only("GET, HEAD"));
  app
    .route("/api/v1/status")
    .get((_req, res) => void res.json({ status: "success", data: api.status() }))
    .all(only("GET, HEAD"));
  for (const [path, file] of Object.entries({
    "/": "index.html",
    "/page.css": "page.css",
    "/page.js": "page.js",
  })) {
    const text = readFileSync(new URL(`./page/${file}`, import.meta.url), "utf8");
    app
      .route(path)
      .get((_req, res) => void res.type(file.split(".").at(-1) ?? "text").send(text))
      .all(only("GET, HEAD"));
  }
  app.use((req, res) => void res.status(404).json({ status: "error", error: `nothing at ${req.path}` }));
  // Four parameters make it the error handler. The reason goes to who may read it; the stack to nobody.
  app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
    const { status = 500, message } = error as { status?: number; message?: string };
    res.status(status).json({ status: "error", error: message ?? String(error) });
  });
  return app;
}

function verdict(res: Response, wrong: string | undefined, well: string): void {
  res
    .status(wrong === undefined ? 200 : 503)
    .type("text")
    .send(`${wrong ?? well}\n`);
}

async function handleReload(api: MonitorApi, res: Response): Promise<void> {
  if (!api.lifecycle) {
    res
      .status(403)
      .type("text")
      .send("Reloading over HTTP is off; start with --web.enable-lifecycle, or send SIGHUP.\n");
    return;
  }
  const wrong = await api.reload();
  res
    .status(wrong === undefined ? 200 : 500)
    .type("text")
    .send(wrong === undefined ? "" : `failed to reload config: ${wrong}\n`);
}

function only(allowed: string) {
  return (_req: Request, res: Response): void => {
    res
      .status(405)
      .set("allow", allowed)
      .json({ status: "error", error: `use ${allowed}` });
  };
}
