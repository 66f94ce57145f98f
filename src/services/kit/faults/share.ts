/**
 * Picks a share of a sequence exactly: of any run of `n` events it picks `n × share`, give or take one. Unlike a coin
 * it has no variance of its own, so that a short window shows the ratio that was asked for.
 */
export class ShareSelector {
  #owed = 0;

  /** True when this event is picked. `share` is 0 to 1 and may change from call to call. */
  pick(share: number): boolean {
    this.#owed += share;
    // Sums of decimals fall short of one by a rounding error.
    if (this.#owed < 1 - 1e-9) return false;
    this.#owed -= 1;
    return true;
  }

  reset(): void {
    this.#owed = 0;
  }
}
