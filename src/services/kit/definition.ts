import type { Env } from "./env.ts";
import type { RunningService, ServiceOptions } from "./service.ts";

/** What every service is started with; its own code adds the rest. */
export type StartOptions = Omit<
  ServiceOptions,
  "name" | "healthName" | "routes" | "extraFaults" | "extraMitigations"
> & {
  /** For settings that only this service has. */
  readonly env: Env;
};

/** A service as `helius service NAME` knows it. */
export interface ServiceDefinition {
  readonly name: string;
  /** Value of the `job` label in logs and in Prometheus. */
  readonly job: string;
  readonly defaultPort: number;
  /** One line for `--help`. */
  readonly summary: string;
  start(options: StartOptions): Promise<RunningService>;
}
