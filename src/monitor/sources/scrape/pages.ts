import type { Dispatcher } from "undici";
import type { Clock, Instant } from "../../kernel/time.ts";
import { ask } from "../shared/ask.ts";
import { InstanceHistory } from "./instance-history.ts";
import { ExpositionError, parseExposition } from "./parser.ts";

/** What came of asking one instance for its page. */
export type Scraped =
  | { readonly ok: true; readonly at: Instant }
  | { readonly ok: false; readonly status: "unreachable" | "invalid"; readonly detail: string };

export interface PagesOptions {
  readonly path: string;
  /** Age from which on a page is of an earlier cycle, milliseconds: the deadline of one. */
  readonly timeoutMs: number;
  readonly maxResponseBytes: number;
  readonly rateWindowMs: number;
  readonly clock: Clock;
  readonly maxConcurrent: number;
  readonly dispatcher: Dispatcher;
}

/** What is remembered of one instance between cycles. */
interface InstanceState {
  readonly history: InstanceHistory;
  /** The last time it was asked, and for which metrics. */
  last:
    | { readonly askedMs: number; readonly wanted: ReadonlySet<string>; readonly page: Promise<Scraped> }
    | undefined;
  /** It did not answer last time: it goes to the end of the queue, so that it holds up no other. */
  suspect: boolean;
}

/** The pages of all instances, and what is remembered of them. */
export class Pages {
  readonly #options: PagesOptions;
  readonly #states = new Map<string, InstanceState>();

  constructor(options: PagesOptions) {
    this.#options = options;
  }

  /** The past of an instance; none where it was never asked. */
  historyOf(url: string): readonly InstanceHistory[] {
    const state = this.#states.get(url);
    return state === undefined ? [] : [state.history];
  }

  /** Forgets every instance but these. */
  keep(urls: ReadonlyMap<string, unknown>): void {
    for (const url of this.#states.keys()) if (!urls.has(url)) this.#states.delete(url);
  }

  /** Asks every instance for its page; what does not come by the deadline is `unreachable`. */
  async fetch(
    urls: readonly string[],
    wanted: ReadonlySet<string>,
    deadline: AbortSignal,
  ): Promise<Map<string, Scraped>> {
    const results = new Map<string, Scraped>();
    const isSuspect = (url: string): number => (this.#states.get(url)?.suspect ? 1 : 0);
    const queue = urls.toSorted((a, b) => isSuspect(a) - isSuspect(b)).values();
    const worker = async (): Promise<void> => {
      for (const url of queue) {
        // Never asked, so no suspicion either.
        results.set(url, deadline.aborted ? LATE : await this.#ask(url, wanted, deadline));
      }
    };
    // The workers share one iterator: each takes the next instance when it is done with its last.
    const workers = Math.min(this.#options.maxConcurrent, urls.length);
    await Promise.all(Array.from({ length: workers }, worker));
    return results;
  }

  /** The pages of this cycle: those that were asked for already, also if they are still on their way; else it asks. */
  async ofThisCycle(
    urls: readonly string[],
    wanted: ReadonlySet<string>,
    deadline: AbortSignal,
  ): Promise<Map<string, Scraped>> {
    const results = new Map<string, Scraped>();
    const missing: string[] = [];
    // What a page is not read for counts as gone: it is read for all that anybody wants of it.
    const all = new Set(wanted);
    const late = gaveUp(deadline);
    await Promise.all(
      urls.map(async (url) => {
        const last = this.#states.get(url)?.last;
        if (
          last !== undefined &&
          this.#isNew(last.askedMs) &&
          [...wanted].every((name) => last.wanted.has(name))
        ) {
          results.set(url, await Promise.race([last.page, late]));
        } else {
          missing.push(url);
          for (const name of last?.wanted ?? []) all.add(name);
        }
      }),
    );
    for (const [url, page] of await this.fetch(missing, all, deadline)) results.set(url, page);
    return results;
  }

  #isNew(askedMs: number): boolean {
    return this.#options.clock.now().monoMs - askedMs < this.#options.timeoutMs;
  }

  async #ask(url: string, wanted: ReadonlySet<string>, deadline: AbortSignal): Promise<Scraped> {
    const state = this.#states.get(url) ?? {
      history: new InstanceHistory(this.#options.rateWindowMs),
      last: undefined,
      suspect: false,
    };
    this.#states.set(url, state);
    const at = this.#options.clock.now();
    const page = this.#scrape(url, { history: state.history, wanted, at }, deadline);
    state.last = { askedMs: at.monoMs, wanted, page };
    const result = await page;
    state.suspect = !result.ok && result.status === "unreachable";
    return result;
  }

  async #scrape(url: string, sink: PageSink, deadline: AbortSignal): Promise<Scraped> {
    const answer = await ask({
      url: url + this.#options.path,
      dispatcher: this.#options.dispatcher,
      headers: { accept: "text/plain;version=0.0.4", "accept-encoding": "gzip" },
      maxBytes: this.#options.maxResponseBytes,
      signal: deadline,
    });
    if (!answer.ok) return answer;
    if (answer.status !== 200) return { ok: false, status: "invalid", detail: `HTTP ${answer.status}` };
    const problem = takeIn(answer.body, sink);
    return problem === undefined
      ? { ok: true, at: sink.at }
      : { ok: false, status: "invalid", detail: problem };
  }
}

const LATE: Scraped = { ok: false, status: "unreachable", detail: "no time left to ask it" };

function gaveUp(deadline: AbortSignal): Promise<Scraped> {
  return new Promise((resolve) => {
    const give = () => resolve({ ok: false, status: "unreachable", detail: "no page before the deadline" });
    if (deadline.aborted) give();
    else deadline.addEventListener("abort", give, { once: true });
  });
}

interface PageSink {
  readonly history: InstanceHistory;
  readonly wanted: ReadonlySet<string>;
  readonly at: Instant;
}

/** Reads a page into the history; returns what is wrong with it, if anything. */
function takeIn(body: Buffer, { history, wanted, at }: PageSink): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(body);
    return history.add(parseExposition(text, wanted), at);
  } catch (error) {
    if (error instanceof ExpositionError) return `page breaks the text format: ${error.message}`;
    if (error instanceof TypeError) return "page is not UTF-8";
    throw error;
  }
}
