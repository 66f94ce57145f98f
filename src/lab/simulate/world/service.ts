import { actionKinds } from "../../../monitor/actions/index.ts";
import { CallGuard, checkKey, readCallHeaders } from "../../../services/kit/call-guard.ts";
import { HttpError } from "../../../services/kit/errors.ts";
import type { Ledger } from "../../../services/kit/ledger.ts";
import { type Arrived, answer, type Piece, type Reply } from "../engine/network.ts";
import { EPOCH_MS, type VirtualTime } from "../engine/time.ts";
import type { Active, ActiveFaults } from "../faults/active.ts";
import { ADMIN_TOKEN } from "../scenario.ts";
import { MemoryLedger } from "./ledger.ts";

/** Something that a service, or whatever else is called, really did. */
export interface Effect {
  /** Index of the target; -1: it is none. */
  readonly target: number;
  readonly on: string;
  readonly instance: string;
  readonly key: string;
  /** Undefined where there is no fence. */
  readonly epoch: number | undefined;
  readonly kind: string;
  readonly parameters: Readonly<Record<string, string>>;
  /** Highest epoch that it had seen before. */
  readonly highest: number | undefined;
}

/** Faults that strike a call before the service carries it out. */
const BEFORE = [
  "service_hangs",
  "service_401",
  "service_403",
  "service_429",
  "service_500",
  "service_redirect",
  "service_html",
  "service_ledger_full",
  "service_late",
  "service_twice",
] as const;

/** Faults that strike the answer to what was carried out. */
const AFTER = [
  "service_answer_lost",
  "service_reset",
  "service_slow",
  "service_too_slow",
  "service_drips",
  "service_500_silent",
  "service_500_applied",
  "service_huge",
  "service_cut",
] as const;

/**
 * One instance of a service, as its admin plane behaves: the idempotency keys, the fence and the answers are those of
 * the real `CallGuard`; what is in its way is the world's.
 */
export class ServiceModel {
  readonly target: number;
  readonly name: string;
  readonly instance: string;
  readonly #ledger = new MemoryLedger();
  readonly #guard: CallGuard;
  readonly #faults: ActiveFaults;
  readonly #time: VirtualTime;
  readonly #effect: (effect: Effect) => void;

  constructor(input: {
    target: number;
    name: string;
    instance: string;
    faults: ActiveFaults;
    time: VirtualTime;
    effect: (effect: Effect) => void;
  }) {
    this.target = input.target;
    this.name = input.name;
    this.instance = input.instance;
    this.#faults = input.faults;
    this.#time = input.time;
    this.#effect = input.effect;
    this.#guard = new CallGuard(this.#ledger as unknown as Ledger, () => EPOCH_MS + input.time.now);
  }

  listens(): boolean {
    return this.#faults.meet("service_refused", this.target) === undefined;
  }

  async handle(arrived: Arrived): Promise<Reply> {
    const asks = arrived.method === "GET";
    const frozen = this.#frozen();
    if (frozen > 0) await this.#time.sleep(frozen);
    if (asks && this.#faults.meet("service_proxy_404", this.target) !== undefined)
      return answer(404, "<html>no such page</html>", { type: "text/html" });
    const before = asks ? undefined : this.#first(BEFORE);
    const instead = before === undefined ? undefined : await this.#instead(before, arrived);
    if (instead !== undefined) return instead;
    const after = asks ? undefined : this.#firstAfter();
    const reply = await this.#serve(arrived, after?.event.kind);
    return after === undefined ? reply : this.#spoil(reply, after);
  }

  readonly #frozenUntil = new Map<number, number>();

  /** How long it stands still before it looks at this call, milliseconds. */
  #frozen(): number {
    const active = this.#faults.find("service_frozen", this.target);
    if (active === undefined) return 0;
    if (!active.met) this.#faults.strike(active);
    // It takes its work up some minutes after the first call that it kept waiting.
    const until =
      this.#frozenUntil.get(active.event.id) ?? this.#time.now + 60_000 * (0.3 + 3 * active.event.x);
    this.#frozenUntil.set(active.event.id, until);
    return Math.max(0, until - this.#time.now);
  }

  #first(kinds: readonly string[]): Active | undefined {
    for (const kind of kinds) {
      const active = this.#faults.meet(kind, this.target);
      if (active !== undefined) return active;
    }
    return undefined;
  }

  #firstAfter(): Active | undefined {
    for (const kind of AFTER) {
      const active = this.#faults.find(kind, this.target);
      if (active !== undefined) return active;
    }
    return undefined;
  }

  /** What is answered in place of the service; undefined: it goes on to it. */
  async #instead({ event }: Active, arrived: Arrived): Promise<Reply | undefined> {
    const error = (status: number, text: string, headers: Record<string, string> = {}) =>
      answer(status, JSON.stringify({ error: text }), { headers });
    switch (event.kind) {
      case "service_hangs":
        return { kind: "silence" };
      case "service_401":
        return error(401, "the admin token is wrong");
      case "service_403":
        return error(403, "the admin plane answers callers on this machine only");
      case "service_429":
        return error(429, "too many calls", { "retry-after": String(Math.floor(20 * event.x)) });
      case "service_500":
        return answer(500, JSON.stringify({ error: "out of memory", applied: false }));
      case "service_redirect":
        return answer(307, "", { headers: { location: `http://${ELSEWHERE}/admin/mitigate` } });
      case "service_html":
        return answer(502, "<html>bad gateway</html>", { type: "text/html" });
      case "service_late":
        await this.#time.sleep(20_000 + 30_000 * event.x);
        return undefined;
      case "service_twice":
        await this.#serve(arrived, undefined);
        return undefined;
      default: {
        this.#ledger.full = () => true;
        const reply = await this.#serve(arrived, undefined);
        this.#ledger.full = () => false;
        return reply;
      }
    }
  }

  async #serve(arrived: Arrived, after: string | undefined): Promise<Reply> {
    try {
      if (arrived.headers["x-admin-token"] !== ADMIN_TOKEN)
        throw new HttpError(401, { error: "the admin token is wrong" });
      const { pathname, searchParams } = new URL(arrived.path, "http://service");
      if (arrived.method === "GET") {
        const key = checkKey(decodeURIComponent(pathname.split("/").at(-1) ?? ""));
        const entry = this.#guard.find(key);
        if (entry?.answer === undefined) return answer(404, JSON.stringify({ key, applied: false }));
        return answer(200, JSON.stringify({ key, applied: true, answer: entry.answer }));
      }
      const headers = readCallHeaders(arrived.headers);
      const { action: kind = "mitigate", ...parameters } = Object.fromEntries(searchParams);
      this.#ledger.unfinished = () => after === "service_500_applied";
      const result = await this.#guard.run(`${arrived.method} ${arrived.path}`, headers, () => {
        const { key = "", epoch = 0 } = headers;
        const { target, name: on, instance } = this;
        this.#effect({ target, on, instance, key, epoch, kind, parameters, highest: this.#ledger.before });
        return { ...actionKinds.get(kind)?.answer };
      });
      const replay = result.replayed ? { "idempotent-replay": "true" } : undefined;
      return answer(200, JSON.stringify(result.answer), replay === undefined ? {} : { headers: replay });
    } catch (error) {
      if (error instanceof HttpError) return answer(error.status, JSON.stringify(error.body));
      throw error;
    }
  }

  /** The answer to what was carried out, as it arrives. */
  #spoil(reply: Reply, active: Active): Reply {
    if (reply.kind !== "answer") return reply;
    this.#faults.strike(active);
    const { x } = active.event;
    const pieces = (data: string, n: number, afterMs: number): Piece[] =>
      Array.from({ length: n }, () => ({ afterMs, data }));
    switch (active.event.kind) {
      case "service_answer_lost":
        return { kind: "silence" };
      case "service_reset":
        return { kind: "reset", afterMs: 5 };
      case "service_slow":
        return { ...reply, afterMs: 1000 + 2500 * x };
      case "service_too_slow":
        return { ...reply, afterMs: 5000 + 20_000 * x };
      case "service_drips":
        return { ...reply, body: pieces(" ", 200, 1500), end: "never" };
      case "service_500_silent":
        return answer(500, "internal error", { type: "text/plain" });
      case "service_huge":
        return { ...reply, body: pieces("x".repeat(20_000), 8, 0), end: "whole" };
      case "service_cut":
        return { ...reply, end: "broken" };
      default:
        return reply;
    }
  }
}

/** A host that no token may ever reach. */
export const ELSEWHERE = "elsewhere.example:8080";
