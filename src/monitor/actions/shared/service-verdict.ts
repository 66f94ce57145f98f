import { isObject } from "../../../common/net/json.ts";
import type { Answer, Reply } from "./call.ts";
import { type Verdict, verdict } from "./outcome.ts";
import { notDone, type RetryResult, saysApplied, summary } from "./retry.ts";

/** What the last reply, and those before it, say of an action of a service. */
export function executed(result: RetryResult): Verdict {
  const { reply } = result;
  return reply.kind === "answer" && saysApplied(reply) ? applied(reply) : notDone(result, explain);
}

function applied(reply: Answer): Verdict {
  const replayed = reply.headers["idempotent-replay"] === "true";
  const said = replayed ? "it had carried out this key before" : "carried out";
  return {
    status: replayed ? "already_applied" : "applied",
    httpStatus: reply.status,
    detail: reply.problem === undefined ? said : `${said}, but ${reply.problem}`,
    answer: reply.json,
  };
}

function explain(reply: Reply): string {
  if (reply.kind !== "answer") return summary(reply);
  const { status } = reply;
  if (status === 401) return `the admin token was not accepted (${summary(reply)})`;
  if (status === 403) return `the service lets nobody in from here (${summary(reply)})`;
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
