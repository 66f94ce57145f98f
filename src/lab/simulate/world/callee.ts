import { type Arrived, answer, type Reply } from "../engine/network.ts";
import type { ActiveFaults } from "../faults/active.ts";
import { CALLEE_TOKEN, type CalleeSpec } from "../strangers.ts";
import { type Effect, ELSEWHERE } from "./service.ts";

/** What a callee is made with. */
export interface Surroundings {
  readonly faults: ActiveFaults;
  readonly effect: (effect: Effect) => void;
  /** It says that it has carried a key out, whether or not it has. */
  readonly claim: (key: string, instance: string) => void;
  /** Something was sent that must not leave. */
  readonly leak: (text: string) => void;
}

/** What answers in place of a callee, whichever it is; undefined: it goes on to it. */
export function instead(faults: ActiveFaults): Reply | undefined {
  if (faults.meet("callee_hangs") !== undefined) return { kind: "silence" };
  if (faults.meet("callee_404") !== undefined)
    return answer(404, JSON.stringify({ message: "no such path" }));
  if (faults.meet("callee_redirect") !== undefined)
    return answer(308, "", { headers: { location: `http://${ELSEWHERE}/turn/on` } });
  if (faults.meet("callee_500") !== undefined) return answer(500, "boom", { type: "text/plain" });
  return undefined;
}

/** An address of `actions.http`. */
export class Address {
  readonly #callee: CalleeSpec;
  readonly #around: Surroundings;
  readonly #done = new Set<string>();

  constructor(callee: CalleeSpec, around: Surroundings) {
    this.#callee = callee;
    this.#around = around;
  }

  handle(arrived: Arrived): Reply {
    const { faults, claim, leak } = this.#around;
    const { name, knowsKeys } = this.#callee;
    const { method, headers, path } = arrived;
    if (headers["x-admin-token"] !== undefined) leak(`the admin token was sent to ${name}`);
    if (headers.authorization !== CALLEE_TOKEN) return answer(401, JSON.stringify({ error: "who is it" }));
    if (method === "GET") {
      const key = decodeURIComponent(path.split("/").at(-1) ?? "");
      return answer(this.#done.has(key) ? 200 : 404, JSON.stringify({ key }));
    }
    const other = instead(faults);
    if (other !== undefined) return other;
    const key = headers["idempotency-key"] ?? "";
    const state = path.split("/").at(-1) ?? "";
    const done = answer(200, JSON.stringify({ state }), { afterMs: 20 });
    if (knowsKeys && this.#done.has(key)) return done;
    this.#done.add(key);
    claim(key, name);
    if (faults.meet("callee_idle") !== undefined) return done;
    const effect = { target: -1, on: name, instance: name, key, kind: "http", parameters: { state } };
    this.#around.effect({ ...effect, epoch: undefined, highest: undefined });
    return faults.meet("callee_answer_lost") === undefined ? done : { kind: "silence" };
  }
}
