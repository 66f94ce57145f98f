import type { z } from "zod";
import type { MetricSource } from "../../kernel/observation.ts";
import type { CreatedPlugin } from "../../kernel/plugin.ts";
import type { Clock } from "../../kernel/time.ts";

/** Tells an operator something that should be known of what is measured: a stable name and flat fields. */
export type Notice = (event: string, fields: Readonly<Record<string, string | number | boolean>>) => void;

/** What every source is made with. */
export interface SourceContext {
  readonly clock: Clock;
  /** Deadline of one call (`timeout_seconds` of its section), milliseconds; shorter than the cycle. */
  readonly timeoutMs: number;
  /** Cap on one answer, bytes after decompression. */
  readonly maxResponseBytes: number;
  /** Window of rates, milliseconds; at least two cycles. */
  readonly rateWindowMs: number;
  /** Older samples are stale, milliseconds. */
  readonly maxSampleAgeMs: number;
  /** How far a sample may lie ahead of our clock, milliseconds. */
  readonly maxFutureMs: number;
  readonly notice: Notice;
}

export interface OpenSource extends MetricSource {
  /** Closes its own connections. */
  close(): Promise<void>;
}

export interface SourcePlugin<Settings = unknown> extends CreatedPlugin<SourceContext, OpenSource, Settings> {
  /** `timeout_seconds` comes in addition. */
  readonly settings: z.ZodObject;
}
