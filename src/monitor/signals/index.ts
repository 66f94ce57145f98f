import type { SignalDefinition } from "../kernel/signal.ts";
import { backlog } from "./backlog/index.ts";
import { errorRate } from "./error-rate/index.ts";
import { memory } from "./memory/index.ts";
import { p95Latency } from "./p95-latency/index.ts";

/** Every kind of signal the monitor knows, in the order people read them. A new one is a folder and two lines here. */
export const signalDefinitions: readonly SignalDefinition[] = [p95Latency, errorRate, memory, backlog];
