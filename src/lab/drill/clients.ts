import { Agent } from "undici";
import { z } from "zod";
import { exchangeJson } from "../../common/net/json.ts";
import { type Random, seededRandom } from "../../services/kit/random.ts";
import { startArrivals } from "../../services/load-generator/arrivals.ts";
import { answerProblem } from "../../services/recommender-service/answer.ts";
import type { ClientAnswer } from "./recording.ts";

export interface RunningClient {
  /** Answers so far, in the order they came; `atS` is monotonic time. */
  answers(): readonly ClientAnswer[];
  /** Asks no more and waits for what is under way, at most its deadline. */
  stop(): Promise<void>;
}

export interface ClientOptions {
  readonly baseUrl: string;
  /** Mean questions a second, at random moments whatever becomes of earlier ones. */
  readonly perSecond: number;
  readonly seed: number;
}

/** Longest a client waits, milliseconds: longer than a page waits for all that it asks. */
const DEADLINE_MS = 5_000;
const MAX_ANSWER_BYTES = 1_000_000;
const PRODUCTS = 500;

const productPage = z.object({
  product: z.object({ id: z.number().int(), name: z.string().min(1) }),
  recommendations: z
    .array(z.object({ id: z.number().int().min(1), name: z.string().min(1), because: z.array(z.unknown()) }))
    .min(1),
  blurb: z.string().min(1),
  degraded: z.array(z.string()),
});

/** Customers that open product pages and look at what is in them. */
export function startPageClient(options: ClientOptions): RunningClient {
  return startClient(options, (random) => {
    const id = 1 + Math.floor(random() * PRODUCTS);
    const seen = 1 + Math.floor(random() * PRODUCTS);
    return {
      method: "GET",
      path: `/products/${id}/page?history=${seen}`,
      judge: (body) => {
        const page = productPage.safeParse(body);
        return {
          valid: page.success && page.data.product.id === id,
          whole: page.success && page.data.degraded.length === 0,
        };
      },
    };
  });
}

/** Clients of the recommender itself, which check every answer against its schema. */
export function startPredictionClient(options: ClientOptions): RunningClient {
  return startClient(options, (random) => {
    const history = Array.from({ length: 3 }, () => 1 + Math.floor(random() * PRODUCTS));
    return {
      method: "POST",
      path: "/predict",
      json: { history, k: 5 },
      judge: (body) => ({ valid: answerProblem(body) === undefined }),
    };
  });
}

interface Question {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly json?: unknown;
  readonly judge: (body: unknown) => { readonly valid: boolean; readonly whole?: boolean };
}

function startClient(options: ClientOptions, next: (random: Random) => Question): RunningClient {
  const agent = new Agent({ pipelining: 1, connect: { timeout: DEADLINE_MS } });
  const answers: ClientAnswer[] = [];
  const contents = seededRandom(options.seed ^ 0x2545f491);
  const underWay = new Set<Promise<void>>();
  const stopArrivals = startArrivals({
    random: seededRandom(options.seed),
    ratePerSecond: options.perSecond,
    arrive: () => {
      const asked: Promise<void> = ask(agent, options.baseUrl, next(contents)).then((answer) => {
        answers.push({ atS: performance.now() / 1_000, ...answer });
        underWay.delete(asked);
      });
      underWay.add(asked);
    },
  });
  return {
    answers: () => answers,
    async stop() {
      stopArrivals();
      await Promise.all(underWay);
      await agent.destroy();
    },
  };
}

/** Never throws. */
async function ask(
  dispatcher: Agent,
  origin: string,
  question: Question,
): Promise<Omit<ClientAnswer, "atS">> {
  const { method, path, json, judge } = question;
  const limits = { timeoutMs: DEADLINE_MS, maxBytes: MAX_ANSWER_BYTES };
  const answer = await exchangeJson({ url: `${origin}${path}`, method, json, dispatcher, ...limits });
  if (answer.ok && answer.status === 200) return { ok: true, ...judge(answer.json) };
  const came = !answer.ok && answer.kind === "not_json" && answer.answer?.status === 200;
  return came ? { ok: true, ...judge(undefined) } : { ok: false, valid: false };
}
