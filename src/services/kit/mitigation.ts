import type { Answer } from "./ledger.ts";
import type { Parameter, ParameterValues } from "./parameters.ts";

/**
 * A further action of a service: `POST /admin/mitigate?action=NAME&…`, with the token, key, epoch and log events of
 * the plain mitigation. The parameters are checked before `run` sees them; `action` need not be declared.
 */
export interface Mitigation {
  readonly action: string;
  readonly parameters: readonly Parameter[];
  /** Takes effect and answers. Throws `HttpError`, and then nothing has changed. */
  run(values: ParameterValues): Answer | Promise<Answer>;
}
