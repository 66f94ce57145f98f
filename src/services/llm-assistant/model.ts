import { MODEL_ACTIONS, type ModelAction, type ModelDecision } from "../llm-router/decision.ts";
import { CORPUS } from "./corpus.ts";

/** Words that say nothing about the action. */
const STOP_WORDS = new Set(
  `a ao aos after all and another any are as at because by com da de do dos e ela ele em for from has in is it its na no
   nas nos o of on os only or para please por que right should since some such that the their them then there they this
   to um uma was we with within without`.split(/\s+/),
);

/** Additive smoothing of word counts. */
const SMOOTHING = 0.3;
/** Words named in a rationale at most. */
const TELLING_WORDS = 4;
/** A longer prompt says the same thing more often, not more certainly: evidence beyond so many words is averaged. */
const FULL_EVIDENCE_WORDS = 6;

/** Lower-case words without accents, stop words and a plural s, in order. @internal for its tests */
export function tokens(text: string): readonly string[] {
  return text
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word.length > 1 && !STOP_WORDS.has(word))
    .map((word) =>
      word.length > 3 && word.endsWith("s") && !word.endsWith("ss") ? word.slice(0, -1) : word,
    );
}

/** Labelled texts by action. */
export type Corpus = Readonly<Record<ModelAction, readonly string[]>>;

/**
 * Multinomial naive Bayes with additive smoothing over a bag of words. Deterministic: the same prompt gets the same
 * decision from every instance. A prompt is data to it, never an instruction: whatever it says, the answer is one of the
 * actions, and its rationale names only words that the model was trained on.
 */
export class DecisionModel {
  readonly #vocabulary = new Set<string>();
  readonly #counts = new Map<ModelAction, Map<string, number>>();
  readonly #totals = new Map<ModelAction, number>();
  readonly #priors = new Map<ModelAction, number>();

  /** Every action needs at least one text. Throws `RangeError` otherwise. */
  constructor(corpus: Corpus = CORPUS) {
    const texts = MODEL_ACTIONS.reduce((sum, action) => sum + corpus[action].length, 0);
    for (const action of MODEL_ACTIONS) {
      if (corpus[action].length === 0) throw new RangeError(`the corpus has no text for ${action}`);
      const counts = new Map<string, number>();
      let total = 0;
      for (const word of corpus[action].flatMap(tokens)) {
        this.#vocabulary.add(word);
        counts.set(word, (counts.get(word) ?? 0) + 1);
        total += 1;
      }
      this.#counts.set(action, counts);
      this.#totals.set(action, total);
      this.#priors.set(action, corpus[action].length / texts);
    }
  }

  /** Words the model knows. */
  get vocabularySize(): number {
    return this.#vocabulary.size;
  }

  /** Probability of each action given the prompt; they add up to 1. */
  posterior(prompt: string): ReadonlyMap<ModelAction, number> {
    return this.#posteriorOf(this.#known(prompt));
  }

  /** The likeliest action, its probability and the words that speak for it. */
  decide(prompt: string): ModelDecision {
    const known = this.#known(prompt);
    if (known.length === 0) {
      return {
        action: "notify_operator",
        confidence: rounded(this.#priors.get("notify_operator") ?? 0),
        rationale: "No word of the prompt is known to the model: a person should look at it.",
      };
    }
    const posterior = this.#posteriorOf(known);
    const [action, confidence] = [...posterior].reduce((best, next) => (next[1] > best[1] ? next : best));
    const telling = this.#telling(known, action);
    return {
      action,
      confidence: rounded(confidence),
      rationale: `${action} is the likeliest of ${MODEL_ACTIONS.length} actions; words that speak for it: ${telling.join(", ") || "none in particular"}.`,
    };
  }

  #known(prompt: string): readonly string[] {
    return tokens(prompt).filter((word) => this.#vocabulary.has(word));
  }

  #posteriorOf(known: readonly string[]): ReadonlyMap<ModelAction, number> {
    const weight = Math.min(1, FULL_EVIDENCE_WORDS / Math.max(1, known.length));
    const scores = MODEL_ACTIONS.map((action) => {
      const evidence = known.reduce((sum, word) => sum + this.#logLikelihood(word, action), 0);
      return [action, Math.log(this.#priors.get(action) ?? 0) + weight * evidence] as const;
    });
    const highest = Math.max(...scores.map(([, score]) => score));
    const shares = scores.map(([action, score]) => [action, Math.exp(score - highest)] as const);
    const sum = shares.reduce((total, [, share]) => total + share, 0);
    return new Map(shares.map(([action, share]) => [action, share / sum]));
  }

  #logLikelihood(word: string, action: ModelAction): number {
    const count = this.#counts.get(action)?.get(word) ?? 0;
    const total = this.#totals.get(action) ?? 0;
    return Math.log((count + SMOOTHING) / (total + SMOOTHING * this.#vocabulary.size));
  }

  /** Words that raise the action above the mean of all actions, the strongest first. */
  #telling(known: readonly string[], action: ModelAction): readonly string[] {
    const gain = (word: string) => {
      const all = MODEL_ACTIONS.map((other) => this.#logLikelihood(word, other));
      return this.#logLikelihood(word, action) - all.reduce((sum, value) => sum + value, 0) / all.length;
    };
    return [...new Set(known)]
      .map((word) => [word, gain(word)] as const)
      .filter(([, value]) => value > 0)
      .sort(([leftWord, left], [rightWord, right]) => right - left || (leftWord < rightWord ? -1 : 1))
      .slice(0, TELLING_WORDS)
      .map(([word]) => word);
  }
}

/** Four digits, and never 0 or 1: a model is neither silent nor certain. */
function rounded(probability: number): number {
  return Math.min(0.9999, Math.max(0.0001, Math.round(probability * 10_000) / 10_000));
}
