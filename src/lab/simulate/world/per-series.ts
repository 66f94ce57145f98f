/** A value for each series, by the names of its target and its signal. Looked up for every series in every cycle. */
export class PerSeries<T> {
  readonly #values = new Map<string, Map<string, T>>();

  get(target: string, signal: string): T | undefined {
    return this.#values.get(target)?.get(signal);
  }

  set(target: string, signal: string, value: T): void {
    const own = this.#values.get(target);
    if (own === undefined) this.#values.set(target, new Map([[signal, value]]));
    else own.set(signal, value);
  }
}
