import { json } from "express";
import type { ServiceDefinition, StartOptions } from "../kit/definition.ts";
import type { Env } from "../kit/env.ts";
import { HttpError, ServiceConfigError } from "../kit/errors.ts";
import type { Routes } from "../kit/routes.ts";
import { type RunningService, type ServiceContext, startService } from "../kit/service.ts";
import { CATEGORIES, createCatalogue, type Product } from "./catalogue.ts";
import { checked, existing, listQuery, orderBody, productPath, searchQuery } from "./input.ts";
import { OrderQueue } from "./orders.ts";
import { registerPage } from "./page.ts";
import { SearchIndex } from "./search.ts";

const CATALOGUE = { size: 500, seed: 20_240_501 };
const QUEUE_CAPACITY = 1_000;
const DEFAULT_ORDER_RATE = 50;
/** How often the order worker runs, milliseconds. */
const WORKER_MS = 50;

/** The customer-facing shop API: a catalogue, its search, and orders. */
export const productApi: ServiceDefinition = {
  name: "product-api",
  job: "product-api",
  defaultPort: 8000,
  summary: "customer-facing catalogue, product pages, search and orders",
  start: startProductApi,
};

async function startProductApi(options: StartOptions): Promise<RunningService> {
  const ratePerSecond = orderRate(options.env.PRODUCT_API_ORDER_RATE);
  return startService({
    ...options,
    name: productApi.name,
    routes: (app, ctx) => registerRoutes(app, ctx, ratePerSecond, options.env),
  });
}

function registerRoutes(app: Routes, ctx: ServiceContext, ratePerSecond: number, env: Env): void {
  const catalogue = createCatalogue(CATALOGUE);
  const byId = new Map(catalogue.map((product) => [product.id, product]));
  app.get("/", (_request, response) => {
    response.json({
      service: ctx.name,
      version: ctx.version,
      products: catalogue.length,
      categories: CATEGORIES,
      routes: [
        "GET /products",
        "GET /products/:id",
        "GET /products/:id/page",
        "GET /search",
        "POST /orders",
        "GET /orders/:id",
      ],
    });
  });
  registerCatalogue(app, catalogue, byId);
  registerPage(app, ctx, byId, env);
  registerOrders(app, ctx, byId, startWorker(ctx, ratePerSecond));
}

function registerCatalogue(
  app: Routes,
  catalogue: readonly Product[],
  byId: ReadonlyMap<number, Product>,
): void {
  const index = new SearchIndex(catalogue);
  app.get("/products", (request, response) => {
    const { category, page, limit } = checked(listQuery, request.query);
    const matching = catalogue.filter((product) => category === undefined || product.category === category);
    response.json({
      page,
      limit,
      total: matching.length,
      products: matching.slice((page - 1) * limit, page * limit),
    });
  });
  app.get("/products/:id", (request, response) => {
    const { id } = checked(productPath, request.params);
    response.json(existing(byId, id, 404, "id"));
  });
  app.get("/search", (request, response) => {
    const { q, limit } = checked(searchQuery, request.query);
    const hits = index.search(q, limit);
    response.json({
      q,
      count: hits.length,
      products: hits.map(({ product, score }) => ({ ...product, score: Math.round(score * 1_000) / 1_000 })),
    });
  });
}

function registerOrders(
  app: Routes,
  ctx: ServiceContext,
  byId: ReadonlyMap<number, Product>,
  queue: OrderQueue,
): void {
  app.post("/orders", json({ limit: "16kb" }), (request, response) => {
    const { product_id, quantity } = checked(orderBody, request.body);
    const order = queue.place(existing(byId, product_id, 400, "product_id"), quantity);
    if (order === undefined) {
      throw new HttpError(
        503,
        { error: "too many orders are waiting; try again later" },
        { "retry-after": String(queue.secondsUntilRoom()) },
      );
    }
    ctx.logger.debug({ order_id: order.id, product_id, quantity }, "order queued");
    response.status(202).location(`/orders/${order.id}`).json(order);
  });
  app.get("/orders/:id", (request, response) => {
    const order = queue.find(String(request.params.id));
    if (order === undefined) {
      throw new HttpError(404, {
        error: "there is no such order",
        field: "id",
        expected: "the id of an order",
      });
    }
    response.json(order);
  });
}

function startWorker(ctx: ServiceContext, ratePerSecond: number): OrderQueue {
  const queue = new OrderQueue({
    capacity: QUEUE_CAPACITY,
    ratePerSecond,
    slowdown: () => ctx.backlogFactor(),
    nowMs: ctx.clock.monoMs(),
  });
  ctx.addQueue({ name: "orders", depth: () => queue.depth });
  const timer = setInterval(() => queue.advance(ctx.clock.monoMs()), WORKER_MS);
  ctx.onClose(() => {
    clearInterval(timer);
    if (queue.depth > 0) ctx.logger.warn({ orders: queue.depth }, "stopped with orders waiting");
  });
  return queue;
}

function orderRate(text: string | undefined): number {
  if (text === undefined || text === "") return DEFAULT_ORDER_RATE;
  const rate = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (rate > 0 && rate <= 10_000) return rate;
  throw new ServiceConfigError(
    `PRODUCT_API_ORDER_RATE is ${JSON.stringify(text)}: expected orders a second, 0 < rate <= 10000`,
  );
}
