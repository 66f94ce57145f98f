import {
  type Answer,
  excerpt,
  exchange,
  type FailureKind,
  type HttpRequest,
} from "../../../common/net/exchange.ts";

/** Why there is no answer to read. `retryable`: the far side may well answer a second time. */
interface Unanswered {
  readonly ok: false;
  readonly status: "unreachable" | "invalid";
  readonly detail: string;
  readonly retryable: boolean;
}

export type Asked = (Answer & { readonly ok: true }) | Unanswered;

/** What arrived, but is no answer; all else did not arrive. */
const INVALID: readonly FailureKind[] = ["mistake", "not_http", "redirect", "too_large", "broken_off"];
const RETRYABLE: readonly FailureKind[] = ["refused", "lost"];

/** One bounded exchange, told in the words of an observation: 5xx is `unreachable`, 2xx and 4xx are answers. Never throws. */
export async function ask(request: HttpRequest): Promise<Asked> {
  const result = await exchange(request);
  const { status, body } = result.ok ? result : (result.answer ?? { status: 0, body: undefined });
  if (status >= 500) {
    const text = body === undefined ? "" : excerpt(body);
    const detail = `HTTP ${status}${text === "" ? "" : `: ${text}`}`;
    return { ok: false, status: "unreachable", detail, retryable: true };
  }
  if (result.ok) return result;
  const { kind, detail } = result;
  const retryable = RETRYABLE.includes(kind);
  return { ok: false, status: INVALID.includes(kind) ? "invalid" : "unreachable", detail, retryable };
}
