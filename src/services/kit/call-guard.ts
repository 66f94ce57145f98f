import { HttpError, ParameterError } from "./errors.ts";
import type { Answer, Ledger, LedgerEntry } from "./ledger.ts";
import { quoted } from "./parameters.ts";

/** What an admin call says about itself in its headers. */
export interface CallHeaders {
  readonly key: string | undefined;
  readonly epoch: number | undefined;
  /** The call came from the monitor. */
  readonly automated: boolean;
}

export interface GuardedAnswer {
  readonly answer: Answer;
  /** True: the key was known, and nothing was done again. */
  readonly replayed: boolean;
}

const KEY = /^[\x21-\x7e]{1,200}$/;
const EPOCH = /^\d{1,15}$/;

type HeaderValue = string | string[] | undefined;

/** Reads the headers of an admin call. Throws `ParameterError` for a malformed one. */
export function readCallHeaders(headers: Readonly<Record<string, HeaderValue>>): CallHeaders {
  const epoch = headerText(headers, "x-predictive-epoch", EPOCH, "a whole number of at most 15 digits");
  const automated = headerText(headers, "x-predictive-automated", /^[01]$/, "1, or no such header");
  return {
    key: headerText(headers, "idempotency-key", KEY, "1 to 200 printable ASCII characters without a space"),
    epoch: epoch === undefined ? undefined : Number(epoch),
    automated: automated === "1",
  };
}

/** Checks an idempotency key from a path. Throws `ParameterError`. */
export function checkKey(key: string): string {
  return checkHeader("key", key, KEY, "1 to 200 printable ASCII characters without a space");
}

/**
 * Lets an admin call take effect at most once for each key, and not at all for an epoch that has been overtaken.
 * Calls run one after the other.
 */
export class CallGuard {
  readonly #ledger: Ledger;
  readonly #wallMs: () => number;
  #last: Promise<unknown> = Promise.resolve();
  /** Answers to keys that took effect while the ledger could not be completed. */
  readonly #unwritten = new Map<string, Answer>();

  constructor(ledger: Ledger, wallMs: () => number) {
    this.#ledger = ledger;
    this.#wallMs = wallMs;
  }

  /**
   * The call of a key, with its answer where it has taken effect; undefined for one that never came. Also of one whose
   * record could not be completed: it must not count as never done, or it would be done again.
   */
  find(key: string): LedgerEntry | undefined {
    const entry = this.#ledger.find(key, this.#wallMs());
    const answer = this.#unwritten.get(key);
    if (entry === undefined || entry.answer !== undefined || answer === undefined) {
      this.#unwritten.delete(key);
      return entry;
    }
    try {
      this.#ledger.finish(key, answer);
      this.#unwritten.delete(key);
    } catch {
      // Still not to be written: it is known as long as this process lives.
    }
    return { ...entry, answer };
  }

  /**
   * Runs `effect`. With a key, the intent is on disk before it and the answer after it, before this resolves.
   * Throws `HttpError` 409 (older epoch), 422 (key of another call), 503 (cannot be written down): no effect. 500 when
   * the effect happened and only its answer could not be written down.
   */
  run(call: string, headers: CallHeaders, effect: () => Answer | Promise<Answer>): Promise<GuardedAnswer> {
    const turn = this.#last.then(() => this.#runAlone(call, headers, effect));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #runAlone(
    call: string,
    headers: CallHeaders,
    effect: () => Answer | Promise<Answer>,
  ): Promise<GuardedAnswer> {
    this.#refuseOlderEpoch(headers.epoch);
    const { key } = headers;
    const known = key === undefined ? undefined : this.find(key);
    if (known !== undefined && known.call !== call) {
      throw new HttpError(422, {
        error: `this idempotency key was used for ${known.call}`,
        parameter: "idempotency-key",
        expected: "a new key for a new call",
      });
    }
    if (known?.answer !== undefined) return { answer: known.answer, replayed: true };
    this.#write("the action cannot be written down, so it was not carried out", 503, () => {
      if (headers.epoch !== undefined) this.#ledger.raiseEpoch(headers.epoch);
      if (key !== undefined) this.#ledger.begin({ key, call, atMs: this.#wallMs() });
    });
    const answer = await this.#carryOut(key, effect);
    if (key !== undefined) {
      this.#unwritten.set(key, answer);
      this.#write("the action was carried out, but its record could not be completed", 500, () =>
        this.#ledger.finish(key, answer),
      );
      this.#unwritten.delete(key);
    }
    return { answer, replayed: false };
  }

  async #carryOut(key: string | undefined, effect: () => Answer | Promise<Answer>): Promise<Answer> {
    try {
      return await effect();
    } catch (error) {
      if (key !== undefined) this.#ledger.abandon(key);
      throw error;
    }
  }

  #refuseOlderEpoch(epoch: number | undefined): void {
    const highest = this.#ledger.epoch();
    if (epoch === undefined || highest === undefined || epoch >= highest) return;
    throw new HttpError(409, {
      error: `epoch ${epoch} is older than ${highest}: a newer monitor has taken over`,
      epoch,
      highest_epoch: highest,
    });
  }

  #write(error: string, status: number, work: () => void): void {
    try {
      work();
    } catch (cause) {
      throw new HttpError(status, { error, reason: (cause as Error).message, applied: status === 500 });
    }
  }
}

function headerText(
  headers: Readonly<Record<string, HeaderValue>>,
  name: string,
  form: RegExp,
  expected: string,
): string | undefined {
  const value = headers[name];
  if (value === undefined) return undefined;
  return checkHeader(name, Array.isArray(value) ? value.join(", ") : value, form, expected);
}

function checkHeader(name: string, value: string, form: RegExp, expected: string): string {
  if (form.test(value)) return value;
  throw new ParameterError({ error: `${name} is ${quoted(value)}`, parameter: name, expected });
}
