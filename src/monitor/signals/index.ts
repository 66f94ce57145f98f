import { backlog } from "./backlog/index.ts";
import type { SignalPlugin } from "./define.ts";
import { errorRate } from "./error-rate/index.ts";
import { memory } from "./memory/index.ts";
import { p95Latency } from "./p95-latency/index.ts";

/** Every kind of signal, in the order people read them. A new one is a folder and a line here. */
export const signalPlugins: readonly SignalPlugin[] = [p95Latency, errorRate, memory, backlog];
