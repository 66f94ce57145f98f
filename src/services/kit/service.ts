import type { Server } from "node:http";
import { join } from "node:path";
import express, { type Express, type Request, type RequestHandler, type Response } from "express";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import { listen } from "../../common/net/listen.ts";
import { createTokenSet, type TokenSet } from "../../common/security/tokens.ts";
import { registerTokenFile } from "../../common/telemetry/registry.ts";
import { adminRouter } from "./admin.ts";
import { type AdminAccess, type AdminReach, adminAccess } from "./admin-access.ts";
import { AdminMetrics, type QueueProbe } from "./admin-metrics.ts";
import { answerErrors } from "./answer-errors.ts";
import { type ServiceClock, systemClock } from "./clock.ts";
import { ServiceConfigError } from "./errors.ts";
import type { FaultMode } from "./faults/fault-mode.ts";
import { FaultSet } from "./faults/fault-set.ts";
import { beatRegularly } from "./heartbeat.ts";
import { HttpMetrics } from "./http-metrics.ts";
import { Ledger } from "./ledger.ts";
import type { Mitigation } from "./mitigation.ts";
import { Pauses } from "./pauses.ts";
import { type Routes, RouteTable, refuseMethod } from "./routes.ts";
import { scrapeHandler } from "./scrape.ts";
import { createSlot, type ServerSlot, stopServer } from "./server.ts";

export interface ServiceOptions {
  /** Name of the service; also of its folder under `dataDir`. */
  readonly name: string;
  /** As `/health` names it. Default `name`. */
  readonly healthName?: string;
  readonly version: string;
  /** Default 0.0.0.0. */
  readonly host?: string;
  /** 0: any free port. */
  readonly port: number;
  /** One or two valid tokens, or something that knows them. */
  readonly adminTokens: readonly string[] | TokenSet;
  /** Who may reach the admin plane. Default: callers on this machine. */
  readonly adminReach?: AdminReach;
  /** Further names that the admin plane is called by, `*.NAME` for all below one. */
  readonly adminHosts?: readonly string[];
  readonly logger: Logger;
  readonly registry: Registry;
  /** All durable state. The service writes to `DATA_DIR/NAME-PORT` (`DATA_DIR/NAME` for port 0). */
  readonly dataDir: string;
  /** False: `/admin/fault` answers 403. */
  readonly faultInjection: boolean;
  /** E.g. `us-east-1`; shown by `/health`. */
  readonly region?: string;
  /** Registers the service's routes. It starts answering when this is done. */
  readonly routes: (app: Routes, ctx: ServiceContext) => void | Promise<void>;
  readonly extraFaults?: readonly FaultMode[];
  readonly extraMitigations?: readonly Mitigation[];
  readonly clock?: ServiceClock;
  /** How long `close` waits for requests in flight, milliseconds. Default 5,000. */
  readonly drainMs?: number;
}

/** What the kit gives to a service's own code. */
export interface ServiceContext {
  readonly name: string;
  readonly version: string;
  readonly region: string | undefined;
  readonly logger: Logger;
  readonly registry: Registry;
  readonly clock: ServiceClock;
  /** This instance's own directory. */
  readonly dataDir: string;
  /** For routes that need the admin token. */
  readonly requireAdmin: RequestHandler;
  /** For protocols beside HTTP, e.g. the `upgrade` event. */
  readonly server: Server;
  /** Shows a queue as `queue_depth{queue}` and offers the `backlog` fault. */
  addQueue(probe: QueueProbe): void;
  /** How many times slower the consumer of a queue must be now; 1 = not slowed. */
  backlogFactor(): number;
  /** Adds fields to the answer of `/health`. */
  addHealth(fields: () => Readonly<Record<string, unknown>>): void;
  /** Runs when the service stops, after its requests, the last one added first. */
  onClose(stop: () => void | Promise<void>): void;
}

export interface RunningService {
  /** Base URL that reaches it from this machine, without a trailing slash. */
  readonly url: string;
  readonly port: number;
  /** Base URL of the admin plane: `url`, unless it listens elsewhere. */
  readonly adminUrl: string;
  /** Answers what is in flight, at most `drainMs`, then stops. Repeated calls wait for the first. */
  close(): Promise<void>;
}

/** How often growing faults are advanced, milliseconds. */
const ADVANCE_MS = 200;

const PORT_SETTINGS = "PORT or --web.listen-address=HOST:PORT";

/**
 * Starts a service: `/health`, `/metrics`, the admin plane, and its own routes with their measurement and fault
 * injection.
 *
 * Throws `ListenError`, `LedgerInUseError`, `ServiceConfigError` (tokens), or what `routes` throws; nothing is left
 * running then.
 */
export async function startService(options: ServiceOptions): Promise<RunningService> {
  const host = options.host ?? "0.0.0.0";
  const tokens = tokensOf(options.adminTokens);
  const slot = createSlot();
  const port = await listen(slot.server, { host, port: options.port, settings: PORT_SETTINGS });
  const closers: (() => void | Promise<void>)[] = [];
  const pauses = new Pauses();
  try {
    const admin = await listenForAdmin(slot, options.adminReach ?? { kind: "local" });
    const built = await buildApp({ options, tokens, server: slot.server, closers, pauses, admin });
    slot.install(built.app);
    const url = urlOf(host, port);
    const adminUrl = admin.port === undefined ? url : urlOf(admin.host, admin.port);
    options.logger.info(
      { host, port, version: options.version, admin: admin.reach.kind, admin_url: adminUrl },
      "service listening",
    );
    return {
      url,
      port,
      adminUrl,
      close: closeOnce({ options, slot, closers, pauses, faults: built.faults }),
    };
  } catch (error) {
    await runClosers(closers, options.logger);
    await stopServer({ slot, drainMs: 0 });
    throw error;
  }
}

interface ListeningAdmin {
  readonly reach: AdminReach;
  readonly host: string;
  /** Of the listener of its own. */
  readonly port: number | undefined;
}

async function listenForAdmin(slot: ServerSlot, reach: AdminReach): Promise<ListeningAdmin> {
  if (reach.kind !== "own") return { reach, host: "", port: undefined };
  const { host } = reach;
  const port = await listen(slot.another(), { host, port: reach.port, settings: "ADMIN_LISTEN_ADDRESS" });
  return { reach, host, port };
}

/** @throws ServiceConfigError */
function tokensOf(given: readonly string[] | TokenSet): TokenSet {
  if ("accepts" in given) return given;
  try {
    return createTokenSet({ value: given });
  } catch (error) {
    throw new ServiceConfigError(`admin tokens: ${(error as Error).message}`);
  }
}

interface BuildInput {
  readonly options: ServiceOptions;
  readonly tokens: TokenSet;
  readonly server: Server;
  readonly admin: ListeningAdmin;
  readonly closers: (() => void | Promise<void>)[];
  readonly pauses: Pauses;
}

async function buildApp(input: BuildInput): Promise<{ readonly app: Express; readonly faults: FaultSet }> {
  const { options, closers, pauses } = input;
  const { logger, registry } = options;
  const clock = options.clock ?? systemClock;
  const dataDir = join(
    options.dataDir,
    options.port === 0 ? options.name : `${options.name}-${options.port}`,
  );
  const ledger = new Ledger({
    file: join(dataDir, "admin.sqlite"),
    nowMs: clock.wallMs(),
    onQuarantine: (setAside, reason) =>
      logger.error(
        { set_aside: setAside, reason },
        "damaged admin ledger set aside, starting with an empty one",
      ),
  });
  closers.push(() => ledger.close());
  const faults = new FaultSet(options.extraFaults);
  closers.push(advanceRegularly(faults, clock, logger));
  closers.push(beatRegularly({ logger, clock }));
  const metrics = new AdminMetrics({ registry, faults, clock });
  const access = openAccess({ input, faults, clock });
  const table = new RouteTable({ metrics: new HttpMetrics(registry), faults, pauses, clock });
  const health: (() => Readonly<Record<string, unknown>>)[] = [];
  await options.routes(table, {
    name: options.name,
    version: options.version,
    region: options.region,
    logger,
    registry,
    clock,
    dataDir,
    requireAdmin: access.require,
    server: input.server,
    addQueue(probe) {
      metrics.watchQueue(probe);
      faults.enableBacklog();
    },
    backlogFactor: () => faults.backlog.factor(clock.monoMs()),
    addHealth: (fields) => void health.push(fields),
    onClose: (stop) => void closers.push(stop),
  });
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  app
    .route("/health")
    .get((_request: Request, response: Response) => {
      response.json(Object.assign(baseHealth(options), ...health.map((fields) => fields())));
    })
    .all(refuseMethod(["GET", "HEAD"]));
  app
    .route("/metrics")
    .get(scrapeHandler({ registry, faults, clock }))
    .all(refuseMethod(["GET", "HEAD"]));
  app.use(
    "/admin",
    adminRouter({
      service: options.name,
      access,
      names: () => callNames(faults, options),
      faults,
      faultInjection: options.faultInjection,
      mitigations: options.extraMitigations ?? [],
      ledger,
      metrics,
      logger,
      clock,
    }),
  );
  app.use(table.finish());
  app.use(answerErrors(logger));
  return { app, faults };
}

function openAccess(parts: { input: BuildInput; faults: FaultSet; clock: ServiceClock }): AdminAccess {
  const { input, faults, clock } = parts;
  const { logger, registry } = input.options;
  registerTokenFile(registry, input.tokens);
  const access = adminAccess({
    tokens: input.tokens,
    reach: input.admin.reach,
    ownPort: input.admin.port,
    hosts: input.options.adminHosts ?? [],
    names: () => callNames(faults, input.options),
    clock,
    logger,
    registry,
  });
  input.closers.push(() => access.stop());
  return access;
}

/** Parameters of admin calls, which a log line may show. */
function callNames(faults: FaultSet, options: ServiceOptions): ReadonlySet<string> {
  const mitigations = options.extraMitigations ?? [];
  const own = mitigations.flatMap((mitigation) => mitigation.parameters.map(({ name }) => name));
  return new Set(["action", ...faults.parameterNames(), ...own]);
}

function baseHealth(options: ServiceOptions): Record<string, unknown> {
  const region = options.region === undefined ? {} : { region: options.region };
  return { status: "ok", service: options.healthName ?? options.name, version: options.version, ...region };
}

/** Answers how to stop it. */
function advanceRegularly(faults: FaultSet, clock: ServiceClock, logger: Logger): () => void {
  const timer = setInterval(() => {
    try {
      faults.advance(clock.monoMs());
    } catch (error) {
      logger.error({ err: error }, "a growing fault could not be advanced");
    }
  }, ADVANCE_MS);
  timer.unref();
  return () => clearInterval(timer);
}

function closeOnce(input: {
  readonly options: ServiceOptions;
  readonly slot: ReturnType<typeof createSlot>;
  readonly closers: (() => void | Promise<void>)[];
  readonly pauses: Pauses;
  readonly faults: FaultSet;
}): () => Promise<void> {
  let closing: Promise<void> | undefined;
  const close = async () => {
    const { options, slot, pauses, faults, closers } = input;
    pauses.endAll();
    faults.blackout.dropHeld();
    const cutOff = await stopServer({ slot, drainMs: options.drainMs ?? 5_000 });
    await runClosers(closers, options.logger);
    options.logger.info({ cut_off_requests: cutOff }, "service stopped");
  };
  return () => {
    closing ??= close();
    return closing;
  };
}

async function runClosers(closers: (() => void | Promise<void>)[], logger: Logger): Promise<void> {
  for (const stop of closers.splice(0).reverse()) {
    try {
      await stop();
    } catch (error) {
      logger.error({ err: error }, "a part of the service did not stop cleanly");
    }
  }
}

/** One that reaches it from this machine. */
function urlOf(host: string, port: number): string {
  if (host === "0.0.0.0" || host === "::") return `http://127.0.0.1:${port}`;
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
