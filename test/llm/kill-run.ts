import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";
import { freePort, waitFor } from "../setup/ports.ts";
import { type ServiceProcess, startProcess } from "./processes.ts";

// The router is killed again and again while jobs are submitted. Every job that was answered 202 must come to exactly
// one end, and a client that resumes must see each event of it once.

export interface KillOptions {
  readonly times: number;
  /** Data of the router; the caller makes and removes it. */
  readonly dataDir: string;
  /** Undefined: the embedded queue. */
  readonly natsUrl: string | undefined;
  /** Jobs that are submitted at the same time. */
  readonly clients: number;
  readonly onKill?: (count: number, accepted: number) => void;
}

export interface KillFigures {
  readonly kills: number;
  /** Jobs answered 202. */
  readonly accepted: number;
  /** Submissions whose answer was lost with the router, and that were repeated with their key. */
  readonly repeated: number;
  readonly lost: number;
  /** Jobs with more than one end, or with a gap or a repetition in their events. */
  readonly wrong: number;
  /** Jobs followed over a WebSocket, through restarts, to their end. */
  readonly followed: number;
  /** Events that such a client missed, or saw twice. */
  readonly followedWrong: number;
  readonly medianRecoveryMs: number;
  readonly longestRecoveryMs: number;
}

interface JobEvent {
  readonly event: string;
  readonly seq: number;
}

/** Runs it: assistants and router as processes, `times` kills with SIGKILL at random moments. */
export async function runKills(options: KillOptions): Promise<KillFigures> {
  const address = `127.0.0.1:${await freePort()}`;
  const assistants = await Promise.all(
    ["llm-assistant", "llm-assistant-secondary"].map((name) =>
      startProcess({ name, address: "127.0.0.1:0", env: { HELIUS_DATA_DIR: `${options.dataDir}/${name}` } }),
    ),
  );
  const [primary, secondary] = assistants;
  // A share of the answers is wrong, so that retries are under way when the router is killed.
  for (const assistant of assistants) {
    await fetch(`${assistant.url}/admin/fault?mode=drift&ratio=0.3`, {
      method: "POST",
      headers: { "x-admin-token": "t" },
    });
  }
  const start = () =>
    startProcess({
      name: "llm-router",
      address,
      env: {
        HELIUS_DATA_DIR: `${options.dataDir}/router`,
        LLM_ASSISTANT_URL: primary?.url ?? "",
        LLM_ASSISTANT_SECONDARY_URL: secondary?.url ?? "",
        LLM_ROUTER_JOB_CAPACITY: "100000",
        LLM_ROUTER_BREAKER_MIN_CALLS: "10000",
        ...(options.natsUrl === undefined ? {} : { NATS_URL: options.natsUrl }),
      },
    });
  let router = await start();
  const load = new Load(`http://${address}`);
  try {
    const submitting = Array.from({ length: options.clients }, () => load.submit());
    const recoveries: number[] = [];
    for (let count = 1; count <= options.times; count += 1) {
      const before = load.accepted.size;
      await waitFor(() => load.accepted.size >= before + 5, {
        what: "accepted jobs",
        timeoutMs: 30_000,
        everyMs: 5,
      });
      await sleep(Math.random() * 300);
      await router.end("SIGKILL");
      const startMs = performance.now();
      router = await start();
      recoveries.push(performance.now() - startMs);
      options.onKill?.(count, load.accepted.size);
    }
    load.stop();
    await Promise.all(submitting);
    return await settle({ load, recoveries, kills: options.times });
  } finally {
    load.stop();
    await Promise.all([router, ...assistants].map((process: ServiceProcess) => process.end("SIGKILL")));
  }
}

async function settle(run: {
  readonly load: Load;
  readonly recoveries: number[];
  readonly kills: number;
}): Promise<KillFigures> {
  const { load, recoveries, kills } = run;
  const open = new Set(load.accepted);
  let wrong = 0;
  // The last job may still have all its retries before it.
  const endMs = performance.now() + 60_000;
  while (open.size > 0 && performance.now() < endMs) {
    for (const jobId of [...open]) {
      const events = await load.eventsOf(jobId);
      const ends = events.filter(({ event }) => event === "result" || event === "dead_letter");
      if (ends.length === 0) continue;
      open.delete(jobId);
      const inOrder = events.every(({ seq }, index) => seq === index + 1);
      if (ends.length > 1 || !inOrder || events.at(-1) !== ends[0]) wrong += 1;
    }
    if (open.size > 0) await sleep(200);
  }
  const followed = await load.followers();
  const sorted = recoveries.toSorted((left, right) => left - right);
  return {
    kills,
    accepted: load.accepted.size,
    repeated: load.repeated,
    lost: open.size,
    wrong,
    followed: followed.length,
    followedWrong: followed.filter((seqs) => !seqs.every((seq, index) => seq === index + 1)).length,
    medianRecoveryMs: sorted[Math.floor(sorted.length / 2)] ?? 0,
    longestRecoveryMs: sorted.at(-1) ?? 0,
  };
}

/** Clients that submit jobs, and follow some of them over a WebSocket. */
class Load {
  readonly accepted = new Set<string>();
  repeated = 0;
  readonly #base: string;
  readonly #follows: Promise<number[]>[] = [];
  #stopped = false;
  #keys = 0;

  constructor(base: string) {
    this.#base = base;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** One client: a job after the other, each repeated with its key until it is answered. */
  async submit(): Promise<void> {
    while (!this.#stopped) {
      this.#keys += 1;
      const key = `kill-${this.#keys}`;
      for (let attempt = 0; ; attempt += 1) {
        const jobId = await this.#post(key);
        if (jobId !== undefined) {
          this.accepted.add(jobId);
          if (attempt > 0) this.repeated += 1;
          if (this.#follows.length < 50 && this.accepted.size % 5 === 0)
            this.#follows.push(this.#follow(jobId));
          break;
        }
        await sleep(20);
      }
      await sleep(10);
    }
  }

  /** Events of a job; none while the router is away. Throws for a job that it does not know. */
  async eventsOf(jobId: string): Promise<readonly JobEvent[]> {
    const answer = await fetch(`${this.#base}/jobs/${jobId}`);
    if (!answer.ok) return [];
    return ((await answer.json()) as { events: JobEvent[] }).events;
  }

  /** Sequence numbers that each follower saw. */
  followers(): Promise<number[][]> {
    return Promise.all(this.#follows);
  }

  async #post(key: string): Promise<string | undefined> {
    try {
      const answer = await fetch(`${this.#base}/jobs`, {
        method: "POST",
        headers: { "content-type": "application/json", "idempotency-key": key },
        body: JSON.stringify({ prompt: `stale cache after import ${key}` }),
        signal: AbortSignal.timeout(10_000),
      });
      const body = (await answer.json()) as { jobId?: string };
      return answer.status === 202 ? body.jobId : undefined;
    } catch {
      return undefined;
    }
  }

  /** Reconnects with the last sequence number until the job has ended, or for two minutes. */
  async #follow(jobId: string): Promise<number[]> {
    const seqs: number[] = [];
    let ended = false;
    const endMs = performance.now() + 120_000;
    while (!ended && performance.now() < endMs) {
      const ws = new WebSocket(
        `${this.#base.replace("http", "ws")}/ws?jobId=${jobId}&after=${seqs.at(-1) ?? 0}`,
      );
      await new Promise<void>((resolve) => {
        ws.on("error", () => undefined);
        ws.on("message", (data) => {
          const { event, seq } = JSON.parse(String(data)) as Partial<JobEvent>;
          if (seq !== undefined) seqs.push(seq);
          if (event === "result" || event === "dead_letter") {
            ended = true;
            ws.close();
          }
        });
        ws.once("close", () => resolve());
      });
      if (!ended) await sleep(50);
    }
    return ended ? seqs : [-1];
  }
}
