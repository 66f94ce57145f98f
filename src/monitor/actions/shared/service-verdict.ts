import { isObject } from "../../../common/net/json.ts";
import type { ActionRules } from "../../kernel/plugin.ts";
import type { Answer, Reply } from "./call.ts";
import { type Verdict, verdict } from "./outcome.ts";
import { notDone, type RetryResult, saysApplied, summary } from "./retry.ts";

type Shape = NonNullable<ActionRules["answer"]>;

/** What the last reply, and those before it, say of an action of a service, whose answer has these fields. */
export function executed(result: RetryResult, shape: Shape): Verdict {
  const { reply } = result;
  if (reply.kind !== "answer" || !saysApplied(reply)) return notDone(result, explain);
  const wrong = reply.status < 300 ? foreign(reply, shape) : undefined;
  if (wrong === undefined) return applied(reply);
  return {
    // An earlier attempt under the same key may have been carried out.
    status: result.mayHaveApplied === undefined ? "refused" : "unknown",
    httpStatus: reply.status,
    detail: `HTTP ${reply.status}, but this is no Helius service: ${wrong}`,
    answer: reply.json,
  };
}

function applied(reply: Answer): Verdict {
  const replayed = reply.headers["idempotent-replay"] === "true";
  return {
    status: replayed ? "already_applied" : "applied",
    httpStatus: reply.status,
    detail: replayed ? "it had carried out this key before" : "carried out",
    answer: reply.json,
  };
}

/** Why an answer is not of a service that speaks the contract: any server may answer a POST with 200. */
function foreign({ json, problem }: Answer, shape: Shape): string | undefined {
  if (json === undefined) return problem ?? "the answer is empty";
  const missing = Object.keys(shape).filter((field) => typeof json[field] !== typeof shape[field]);
  return missing.length === 0 ? undefined : `the answer has no ${missing.join(" and no ")}`;
}

/** Without its whole body, as it was sent, nobody knows whose answer it is: it is asked for again under the same key. */
export function lostWhenCut(reply: Reply): Reply {
  if (reply.kind !== "answer" || reply.status < 200 || reply.status >= 300) return reply;
  if (reply.complete && !reply.damaged) return reply;
  return { kind: "lost", detail: `HTTP ${reply.status}, but ${reply.problem}` };
}

function explain(reply: Reply): string {
  if (reply.kind !== "answer") return summary(reply);
  const { status } = reply;
  if (status === 401) return `the admin token was not accepted (${summary(reply)})`;
  if (status === 403) return `forbidden from this address (${summary(reply)})`;
  if (status === 409) return `a newer monitor has taken over (${summary(reply)})`;
  if (status === 429) return `the service limits the rate of calls (${summary(reply)})`;
  if (status >= 300 && status < 400) {
    return `a redirect is never followed, so that the token stays here (HTTP ${status})`;
  }
  return summary(reply);
}

/** What a service that was asked about a key says of it. */
export function reconciled(reply: Reply): Verdict {
  const unknown = (detail: string, httpStatus?: number): Verdict =>
    verdict("unknown", `the service could not be asked: ${detail}`, httpStatus);
  if (reply.kind !== "answer") return unknown(explain(reply));
  const { status, json } = reply;
  if (status === 200 && json?.applied === true) {
    const { answer } = json;
    return {
      status: "already_applied",
      httpStatus: status,
      detail: "the service has carried it out",
      answer: isObject(answer) ? answer : json,
    };
  }
  // A 404 of a proxy in between says nothing: the service's own says `applied: false`.
  if (status === 404 && json?.applied === false) {
    return { status: "failed", httpStatus: status, detail: "the service never saw this key", answer: json };
  }
  return unknown(
    reply.problem === undefined ? explain(reply) : `${explain(reply)}, ${reply.problem}`,
    status,
  );
}
