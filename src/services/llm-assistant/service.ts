import { json, type Response } from "express";
import { Counter } from "prom-client";
import { z } from "zod";
import type { ServiceDefinition, StartOptions } from "../kit/definition.ts";
import { HttpError } from "../kit/errors.ts";
import type { Routes } from "../kit/routes.ts";
import { type RunningService, type ServiceContext, startService } from "../kit/service.ts";
import { MODEL_ACTIONS, type ModelDecision } from "../llm-router/decision.ts";
import { DecisionModel } from "./model.ts";
import { driftedOutput, OutputFault } from "./output-faults.ts";

/** Longest prompt, characters. */
const MAX_PROMPT_CHARS = 8_000;
const PIECE = Buffer.alloc(64 * 1_024, "x");

const assistBody = z.strictObject({ prompt: z.string().trim().min(1).max(MAX_PROMPT_CHARS) });

/** The assistant of the primary region. */
export const llmAssistant = assistant({
  name: "llm-assistant",
  defaultPort: 8003,
  summary: "decision model of the primary region",
});

/** The same service for the secondary region, so that both can run on one machine. */
export const llmAssistantSecondary = assistant({
  name: "llm-assistant-secondary",
  defaultPort: 8004,
  summary: "decision model of the secondary region",
});

function assistant(names: {
  readonly name: string;
  readonly defaultPort: number;
  readonly summary: string;
}): ServiceDefinition {
  return { ...names, job: names.name, start: (options) => startAssistant(names.name, options) };
}

/** The faults of an assistant's output. */
interface OutputFaults {
  readonly drift: OutputFault;
  readonly huge: OutputFault;
  readonly drip: OutputFault;
  readonly hang: OutputFault;
}

function startAssistant(name: string, options: StartOptions): Promise<RunningService> {
  const faults: OutputFaults = {
    drift: new OutputFault({ mode: "drift", ratioRequired: true }),
    huge: new OutputFault({
      mode: "huge",
      ratioRequired: false,
      further: [
        {
          parameter: { name: "mb", type: "number", unit: "megabytes (1,048,576 bytes)", min: 1, max: 1_024 },
          fallback: 64,
        },
      ],
    }),
    drip: new OutputFault({
      mode: "drip",
      ratioRequired: false,
      further: [
        {
          parameter: { name: "every", type: "number", unit: "milliseconds", min: 1, max: 60_000 },
          fallback: 500,
        },
      ],
    }),
    hang: new OutputFault({ mode: "hang", ratioRequired: false }),
  };
  const spoiler = new Spoiler(faults);
  return closingFirst(
    startService({
      ...options,
      name,
      extraFaults: Object.values(faults),
      routes: (app, ctx) => registerRoutes(app, ctx, spoiler),
    }),
    () => spoiler.release(),
  );
}

/** A response that hangs would hold the stop up for the whole drain time. */
async function closingFirst(starting: Promise<RunningService>, first: () => void): Promise<RunningService> {
  const running = await starting;
  return {
    ...running,
    close: () => {
      first();
      return running.close();
    },
  };
}

function registerRoutes(app: Routes, ctx: ServiceContext, spoiler: Spoiler): void {
  const model = new DecisionModel();
  const decisions = new Counter({
    name: "assistant_decisions_total",
    help: "Decisions of the model by action.",
    labelNames: ["action"],
    registers: [ctx.registry],
  });
  for (const action of MODEL_ACTIONS) decisions.inc({ action }, 0);
  app.get("/", (_request, response) => {
    response.json({
      service: ctx.name,
      version: ctx.version,
      actions: MODEL_ACTIONS,
      vocabulary: model.vocabularySize,
      routes: ["POST /assist"],
    });
  });
  app.post("/assist", json({ limit: "64kb" }), (request, response) => {
    const parsed = assistBody.safeParse(request.body);
    if (!parsed.success) {
      throw new HttpError(400, {
        error: "the body is not a prompt",
        field: "prompt",
        expected: `{"prompt":TEXT} with 1 to ${MAX_PROMPT_CHARS} characters, and no other field`,
      });
    }
    const decision = model.decide(parsed.data.prompt);
    decisions.inc({ action: decision.action });
    if (!spoiler.spoil(response, decision, ctx.clock.monoMs())) response.json(decision);
  });
}

/** Sends what a faulty model sends. */
class Spoiler {
  readonly #faults: OutputFaults;
  readonly #held = new Set<Response>();
  #drifted = 0;

  constructor(faults: OutputFaults) {
    this.#faults = faults;
  }

  /** True: the answer was struck by a fault and is taken care of. */
  spoil(response: Response, decision: ModelDecision, nowMs: number): boolean {
    const { drift, huge, drip, hang } = this.#faults;
    if (hang.strikes(nowMs)) this.#hold(response);
    else if (drip.strikes(nowMs)) this.#drip(response, decision, drip.value("every"));
    else if (huge.strikes(nowMs)) this.#flood(response, huge.value("mb") * 1_024 * 1_024);
    else if (drift.strikes(nowMs)) {
      response.type("application/json").send(driftedOutput(decision, this.#drifted));
      this.#drifted += 1;
    } else return false;
    return true;
  }

  /** Cuts off what is held; the service stops. */
  release(): void {
    for (const response of this.#held) response.destroy();
  }

  #hold(response: Response): void {
    this.#held.add(response);
    response.once("close", () => this.#held.delete(response));
  }

  /** A byte at a time, and spaces for ever after it: valid JSON that never ends. */
  #drip(response: Response, decision: ModelDecision, everyMs: number): void {
    this.#hold(response);
    const text = JSON.stringify(decision);
    let sent = 0;
    response.type("application/json");
    const timer = setInterval(() => {
      response.write(text[sent] ?? " ");
      sent += 1;
    }, everyMs);
    response.flushHeaders();
    response.once("close", () => clearInterval(timer));
  }

  #flood(response: Response, bytes: number): void {
    this.#hold(response);
    let left = bytes;
    response.type("application/json");
    response.write('{"rationale":"');
    const pour = () => {
      while (left > 0 && !response.destroyed) {
        left -= PIECE.length;
        if (!response.write(PIECE)) {
          response.once("drain", pour);
          return;
        }
      }
      response.end('"}');
    };
    pour();
  }
}
