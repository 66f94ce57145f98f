import type { WebSocket } from "ws";
import type { JobEvent, JobLog } from "../jobs/types.ts";
import { type Problem, readMessage } from "./messages.ts";

/** Jobs one connection may follow at the same time. */
const MAX_SUBSCRIPTIONS = 100;
/** After so many bad messages the connection is closed. */
const MAX_BAD_MESSAGES = 10;
/** A client that leaves so many bytes unread is cut off; it can resume from the last event it has. */
const MAX_UNREAD_BYTES = 1_024 * 1_024;

const POLICY_VIOLATION = 1008;

interface Subscription {
  /** Sequence number of the last event sent. */
  last: number;
  /** Events that came while the earlier ones were being read; undefined: nothing is being read. */
  waiting: JobEvent[] | undefined;
}

/** One client: the jobs it follows, and whether it is still there. */
export class Connection {
  readonly #socket: WebSocket;
  readonly #log: JobLog;
  readonly #subscriptions = new Map<string, Subscription>();
  #bad = 0;
  #heard = true;

  constructor(socket: WebSocket, log: JobLog) {
    this.#socket = socket;
    this.#log = log;
    socket.on("message", (data, isBinary) => {
      this.#heard = true;
      this.#take(data as Buffer, isBinary);
    });
    socket.on("pong", () => {
      this.#heard = true;
    });
    socket.on("error", () => socket.terminate());
  }

  /** Sends the job's events after `after`, and from then on each one as it happens. */
  async subscribe(jobId: string, after: number): Promise<void> {
    if (!this.#subscriptions.has(jobId) && this.#subscriptions.size >= MAX_SUBSCRIPTIONS) {
      this.#refuse({
        message: "too many jobs are followed on this connection",
        field: "jobId",
        expected: `at most ${MAX_SUBSCRIPTIONS} at the same time`,
      });
      return;
    }
    const subscription: Subscription = { last: after, waiting: [] };
    this.#subscriptions.set(jobId, subscription);
    try {
      const known = await this.#log.find(jobId);
      const past = known === undefined ? [] : await this.#log.events(jobId, after);
      if (this.#subscriptions.get(jobId) !== subscription) return;
      if (known === undefined) {
        this.#subscriptions.delete(jobId);
        this.#send({ event: "error", jobId, message: "there is no such job", final: true });
        return;
      }
      this.#send({ event: "subscribed", jobId, after, state: known.state });
      for (const event of [...past, ...(subscription.waiting ?? [])]) this.#pass(subscription, event);
      subscription.waiting = undefined;
    } catch {
      if (this.#subscriptions.get(jobId) === subscription) this.#subscriptions.delete(jobId);
      this.#send({ event: "error", jobId, message: "the job cannot be read at present; subscribe again" });
    }
  }

  /** An event happened. */
  deliver(event: JobEvent): void {
    const subscription = this.#subscriptions.get(event.jobId);
    if (subscription === undefined) return;
    if (subscription.waiting !== undefined) subscription.waiting.push(event);
    else this.#pass(subscription, event);
  }

  /** Asks for a sign of life; a client that gave none since the last time is cut off. */
  beat(): void {
    if (!this.#heard) {
      this.#socket.terminate();
      return;
    }
    this.#heard = false;
    this.#socket.ping();
  }

  #pass(subscription: Subscription, event: JobEvent): void {
    if (event.seq <= subscription.last) return;
    subscription.last = event.seq;
    this.#send(event);
  }

  #take(data: Buffer, isBinary: boolean): void {
    const read = readMessage(data, isBinary);
    if ("problem" in read) {
      this.#refuse(read.problem);
      return;
    }
    const { message } = read;
    if (message.type === "subscribe") void this.subscribe(message.jobId, message.after);
    else if (message.type === "unsubscribe") {
      this.#subscriptions.delete(message.jobId);
      this.#send({ event: "unsubscribed", jobId: message.jobId });
    } else this.#send({ event: "pong" });
  }

  #refuse(problem: Problem): void {
    this.#bad += 1;
    this.#send({ event: "error", ...problem });
    if (this.#bad >= MAX_BAD_MESSAGES) this.#socket.close(POLICY_VIOLATION, "too many bad messages");
  }

  #send(message: object): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#socket.bufferedAmount > MAX_UNREAD_BYTES) {
      this.#socket.terminate();
      return;
    }
    this.#socket.send(JSON.stringify(message));
  }
}
