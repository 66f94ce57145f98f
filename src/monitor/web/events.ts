import type { Request, RequestHandler, Response } from "express";
import { Counter, Gauge, type Registry } from "prom-client";
import { addressKey } from "../../common/security/addresses.ts";
import type { Frame } from "../report/wire.ts";
import { addressOf } from "./auth.ts";
import { ApiError } from "./errors.ts";

export interface EventSource {
  /** Frames after this one; undefined when some of them are gone. */
  since(id: string): readonly Frame[] | undefined;
  /** @returns how to stop */
  subscribe(listener: (frame: Frame) => void): () => void;
}

export interface EventStream {
  readonly handle: RequestHandler;
  /** Ends every stream. */
  close(): void;
}

export interface EventLimits {
  readonly clients: number;
  readonly perAddress: number;
  /** A client that has so much of earlier messages not read yet is dropped at the next, bytes. */
  readonly backlogBytes: number;
  readonly heartbeatMs: number;
}

const LIMITS: EventLimits = { clients: 100, perAddress: 50, backlogBytes: 1_048_576, heartbeatMs: 10_000 };
/** After so long a browser comes back, milliseconds. */
const RETRY_MS = 2000;
const FULL_RETRY_S = 10;

/**
 * `GET /api/v1/events`: server-sent events. A client says with `last-event-id` (or `after`) what it knows; it gets what
 * came after, or `reset` when that is gone. A client that does not read is dropped: nothing is kept for it.
 */
export function eventStream(options: {
  readonly source: EventSource;
  readonly registry: Registry;
  readonly limits?: EventLimits;
}): EventStream {
  const { source } = options;
  const limits = options.limits ?? LIMITS;
  const clients = new Map<Response, string>();
  const dropped = streamMetrics(options.registry, clients);
  const write = (client: Response, text: string) => {
    // Asked before, so that one large message does no harm to those who read.
    if (client.writableLength <= limits.backlogBytes) client.write(text);
    else {
      dropped.inc({ reason: "slow" });
      client.destroy();
    }
  };
  let unsubscribe: (() => void) | undefined;
  let heartbeat: NodeJS.Timeout | undefined;
  const start = () => {
    unsubscribe = source.subscribe((frame) => {
      const text = textOf(frame);
      for (const client of clients.keys()) write(client, text);
    });
    heartbeat = setInterval(() => {
      for (const client of clients.keys()) write(client, ":\n\n");
    }, limits.heartbeatMs);
    heartbeat.unref();
  };
  const stop = () => {
    clearInterval(heartbeat);
    unsubscribe?.();
    unsubscribe = undefined;
  };
  return {
    handle: (request: Request, response: Response) => {
      const address = addressKey(addressOf(request));
      const own = [...clients.values()].filter((other) => other === address).length;
      if (clients.size >= limits.clients || own >= limits.perAddress) {
        dropped.inc({ reason: "full" });
        throw new ApiError(
          503,
          `${Math.min(clients.size, limits.clients)} readers follow already; ask for the status instead`,
          {
            headers: { "retry-after": String(FULL_RETRY_S) },
          },
        );
      }
      const known = lastKnown(request);
      response.status(200).set({
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store",
        // A proxy that collects an answer would hold every message back.
        "x-accel-buffering": "no",
      });
      response.socket?.setNoDelay(true);
      response.flushHeaders();
      if (clients.size === 0) start();
      clients.set(response, address);
      response.once("close", () => {
        clients.delete(response);
        if (clients.size === 0) stop();
      });
      const missed = known === undefined ? [] : source.since(known);
      const first = missed === undefined ? "event: reset\ndata: {}\n\n" : missed.map(textOf).join("");
      write(response, `retry: ${RETRY_MS}\n\n${first}`);
    },
    close() {
      stop();
      for (const client of clients.keys()) client.end();
    },
  };
}

function textOf({ id, event, data }: Frame): string {
  return `id: ${id}\nevent: ${event}\ndata: ${data}\n\n`;
}

function lastKnown(request: Request): string | undefined {
  const header = request.headers["last-event-id"];
  if (typeof header === "string" && header !== "") return header;
  const { after } = request.query;
  return typeof after === "string" ? after : undefined;
}

function streamMetrics(registry: Registry, clients: ReadonlyMap<Response, string>): Counter<"reason"> {
  const registers = [registry];
  new Gauge({
    name: "predict_event_clients",
    help: "Readers that follow the events of the status page.",
    registers,
    collect() {
      this.set(clients.size);
    },
  });
  const dropped = new Counter({
    name: "predict_event_clients_dropped_total",
    help: "Readers of the events that were sent away: too many, or too slow.",
    labelNames: ["reason"],
    registers,
  });
  for (const reason of ["full", "slow"]) dropped.inc({ reason }, 0);
  return dropped;
}
