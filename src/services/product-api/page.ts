import { Counter } from "prom-client";
import { z } from "zod";
import type { Env } from "../kit/env.ts";
import { ServiceConfigError } from "../kit/errors.ts";
import type { Routes } from "../kit/routes.ts";
import type { ServiceContext } from "../kit/service.ts";
import type { Product } from "./catalogue.ts";
import { type Absence, createDependency, type Dependency, dependencyMetrics } from "./dependency.ts";
import { checked, existing, pageQuery, productPath } from "./input.ts";

/** Deadlines of the two questions, milliseconds: a page that waits longer is worse than one that does without. */
const RECOMMENDER_MS = 400;
const ASSISTANT_MS = 1500;
const SHOWN = 5;

const recommendations = z.object({
  items: z
    .array(
      z.object({
        id: z.number().int(),
        score: z.number().finite(),
        because: z.array(z.unknown()).default([]),
      }),
    )
    .max(50),
  model_version: z.string(),
  mode: z.string(),
});

const routed = z.object({
  decision: z.object({
    action: z.string().min(1).max(100),
    confidence: z.number().min(0).max(1),
    rationale: z.string().max(2000),
  }),
});

/** Where a part of the page came from, and why not from the service meant for it. */
interface Origin {
  readonly from: "recommender" | "assistant" | "catalogue";
  readonly why?: Absence | "safe_mode";
}

/** `GET /products/:id/page`: catalogue, recommendations and a blurb. A sick dependency degrades it, never breaks it. */
export function registerPage(
  app: Routes,
  ctx: ServiceContext,
  byId: ReadonlyMap<number, Product>,
  env: Env,
): void {
  const calls = dependencyMetrics(ctx.registry);
  const degraded = new Counter({
    name: "page_degraded_total",
    help: "Parts of product pages that came from the catalogue because their service gave nothing usable.",
    labelNames: ["part"],
    registers: [ctx.registry],
  });
  const recommender = createDependency({
    name: "recommender",
    baseUrl: serviceUrl("RECOMMENDER_URL", env.RECOMMENDER_URL),
    deadlineMs: RECOMMENDER_MS,
    calls,
  });
  const router = createDependency({
    name: "llm-router",
    baseUrl: serviceUrl("LLM_ROUTER_URL", env.LLM_ROUTER_URL),
    deadlineMs: ASSISTANT_MS,
    calls,
  });
  ctx.onClose(async () => {
    await recommender.close();
    await router.close();
  });
  app.get("/products/:id/page", async (request, response) => {
    const { id } = checked(productPath, request.params);
    const { history } = checked(pageQuery, request.query);
    const product = existing(byId, id, 404, "id");
    const [recommended, blurb] = await Promise.all([
      recommendationsFor(recommender, byId, product, history),
      blurbFor(router, product),
    ]);
    const parts = { recommendations: recommended.origin, blurb: blurb.origin };
    const missing = Object.entries(parts).flatMap(([part, origin]) =>
      origin.from === "catalogue" ? [part] : [],
    );
    for (const part of missing) degraded.inc({ part });
    response.json({
      product,
      recommendations: recommended.items,
      blurb: blurb.text,
      parts,
      degraded: missing,
    });
  });
}

async function recommendationsFor(
  recommender: Dependency,
  byId: ReadonlyMap<number, Product>,
  product: Product,
  history: readonly number[],
): Promise<{ items: unknown[]; origin: Origin }> {
  const asked = await recommender.ask(
    "/predict",
    { history: [...history, product.id], k: SHOWN },
    recommendations,
  );
  if (asked.ok) {
    const items = asked.value.items.flatMap(({ id, score, because }) => {
      const known = byId.get(id);
      return known === undefined || id === product.id ? [] : [{ id, name: known.name, score, because }];
    });
    if (items.length > 0) return { items, origin: { from: "recommender" } };
  }
  // Without the recommender: the same shelf, nearest in price.
  const shelf = [...byId.values()].filter((p) => p.category === product.category && p.id !== product.id);
  const distance = (p: Product) => Math.abs(p.price_cents - product.price_cents);
  const items = shelf
    .sort((a, b) => distance(a) - distance(b) || a.id - b.id)
    .slice(0, SHOWN)
    .map(({ id, name }) => ({ id, name, score: null, because: [] }));
  return { items, origin: { from: "catalogue", why: asked.ok ? "invalid" : asked.why } };
}

/** The assistant's words, unless it has no confidence in them: confidence 0 is never used for anything. */
async function blurbFor(router: Dependency, product: Product): Promise<{ text: string; origin: Origin }> {
  const prompt = `Recommend in one sentence: ${product.name} (${product.category}). ${product.description}`;
  const asked = await router.ask("/route", { prompt, provider: "local" }, routed);
  if (asked.ok && asked.value.decision.confidence > 0)
    return { text: asked.value.decision.rationale, origin: { from: "assistant" } };
  return {
    text: product.description,
    origin: { from: "catalogue", why: asked.ok ? "safe_mode" : asked.why },
  };
}

function serviceUrl(name: string, text: string | undefined): string | undefined {
  if (text === undefined || text === "") return undefined;
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "" || url.search !== "")
    throw new ServiceConfigError(`${name} is ${JSON.stringify(text)}: expected an http:// or https:// URL`);
  return text.replace(/\/+$/, "");
}
