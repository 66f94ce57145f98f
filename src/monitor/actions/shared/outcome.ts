import type { InstanceOutcome } from "../../kernel/action.ts";
import type { Instance } from "../../kernel/target.ts";
import { errorMessage } from "../../kernel/text.ts";

/** What a call came to, before it is known whose and how long it took. */
export type Verdict = Pick<InstanceOutcome, "status" | "httpStatus" | "detail" | "answer">;

/** A verdict without an answer to show. */
export function verdict(status: Verdict["status"], detail: string, httpStatus?: number): Verdict {
  return { status, httpStatus, detail, answer: undefined };
}

/** Nothing was sent, because the caller had given up before. */
export const CANCELLED_BEFORE: Verdict = verdict("failed", "cancelled before the call");

/** Does the work for one instance and says how long it took, by `now` (monotonic milliseconds). Never throws. */
export async function outcomeOf(
  instance: Instance,
  now: () => number,
  work: () => Promise<Verdict>,
): Promise<InstanceOutcome> {
  const startMs = now();
  // Only a defect gets here; whether anything was sent before it is not known.
  const came = await work().catch((error: unknown) =>
    verdict("unknown", `the call ended in an error: ${errorMessage(error)}`),
  );
  return { instance: instance.name, ...came, durationMs: Math.max(0, now() - startMs) };
}
