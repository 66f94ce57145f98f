import { createTokenSet, TokenError, type TokenSet } from "../common/security/tokens.ts";
import { readBuildInfo } from "../common/telemetry/build-info.ts";
import type { LineSink } from "../common/telemetry/line-sink.ts";
import { type Logger, openLog } from "../common/telemetry/logger.ts";
import { createRegistry, registerBuildInfo, registerDroppedLines } from "../common/telemetry/registry.ts";
import type { ServiceDefinition } from "./kit/definition.ts";
import { type Env, type Flags, readServiceSettings, type ServiceSettings } from "./kit/env.ts";
import { ServiceConfigError } from "./kit/errors.ts";
import type { RunningService } from "./kit/service.ts";
import { llmAssistant, llmAssistantSecondary } from "./llm-assistant/service.ts";
import { llmRouter } from "./llm-router/service.ts";
import { productApi } from "./product-api/service.ts";
import { recommenderService } from "./recommender-service/service.ts";
import { telemetryGateway } from "./telemetry-gateway/service.ts";

/** Every Helius service by name. A new one is a folder and a line here. */
export const services: ReadonlyMap<string, ServiceDefinition> = new Map(
  [productApi, llmRouter, llmAssistant, llmAssistantSecondary, recommenderService, telemetryGateway].map(
    (definition) => [definition.name, definition],
  ),
);

/**
 * Starts the service `name` with settings from the environment and the flags, with its own log and registry. The log
 * goes to standard output unless `logStream` is given, and to `LOG_FILE` as well.
 *
 * Throws `ServiceConfigError` for an unknown name or a bad setting, `ListenError` when the address is taken.
 */
export async function startServiceFromEnv(
  name: string,
  env: Env,
  flags: Flags,
  logStream?: LineSink,
): Promise<RunningService & { reopenLog(): void }> {
  const definition = services.get(name);
  if (definition === undefined) {
    throw new ServiceConfigError(
      `there is no service ${JSON.stringify(name)}: expected one of ${[...services.keys()].join(", ")}`,
    );
  }
  const settings = readServiceSettings({ env, flags, defaultPort: definition.defaultPort });
  const log = openLog({
    job: definition.job,
    level: settings.logLevel,
    format: settings.logFormat,
    file: settings.logFile,
    fileMaxBytes: settings.logFileMaxBytes,
    stream: logStream,
    fields: settings.region === undefined ? {} : { region: settings.region },
  });
  const registry = createRegistry();
  const build = readBuildInfo(env);
  registerBuildInfo({ registry, name: "helius_service_build_info", build });
  registerDroppedLines(registry, log);
  try {
    const running = await definition.start({
      version: build.version,
      host: settings.host,
      port: settings.port,
      adminTokens: openTokens(settings, log.logger),
      adminReach: settings.adminReach,
      adminHosts: settings.adminHosts,
      logger: log.logger,
      registry,
      dataDir: settings.dataDir,
      faultInjection: settings.faultInjection,
      region: settings.region,
      env,
    });
    return {
      ...running,
      reopenLog: () => log.reopen(),
      close: () => running.close().finally(() => log.close()),
    };
  } catch (error) {
    log.close();
    throw error;
  }
}

function openTokens({ tokens, production, exposed }: ServiceSettings, logger: Logger): TokenSet {
  const file = tokens.kind === "file" ? tokens.file : undefined;
  try {
    return createTokenSet({
      value: tokens.kind === "given" ? tokens.token : undefined,
      file,
      production,
      exposed,
      onProblem: (reason) => logger.error({ reason }, "admin token file is bad, keeping the last tokens"),
      onWarning: (reason) => logger.warn({ reason }, "admin token file is open to others"),
    });
  } catch (error) {
    if (!(error instanceof TokenError)) throw error;
    throw new ServiceConfigError(
      `${file === undefined ? "ADMIN_TOKEN" : "ADMIN_TOKEN_FILE"}: ${error.message}`,
    );
  }
}
