import type { ServerResponse } from "node:http";

/** Delays of requests, which end early when the client goes away or the service stops. */
export class Pauses {
  readonly #wake = new Set<() => void>();
  #over = false;

  /** Waits `ms`, or until `response` is closed, or until `endAll`. */
  wait(ms: number, response: ServerResponse): Promise<void> {
    if (this.#over || response.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        response.off("close", wake);
        this.#wake.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      response.once("close", wake);
      this.#wake.add(wake);
    });
  }

  /** Ends every delay now, and makes later ones empty. */
  endAll(): void {
    this.#over = true;
    for (const wake of [...this.#wake]) wake();
  }
}
