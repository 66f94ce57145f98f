import type { Logger } from "pino";
import type { LoadOutcome } from "../metrics.ts";
import { decodeModel, fingerprint, ModelFormatError } from "../model/artifact.ts";
import type { LoadedModel } from "../state/model-cache.ts";
import type { MlflowClient, RegistryVersion } from "./client.ts";
import { MlflowError } from "./http.ts";
import type { ModelReference } from "./model-uri.ts";

/** First pause after a failure, milliseconds; it doubles up to the poll interval. */
const FIRST_RETRY_MS = 1_000;
/** An artifact that was refused is fetched again after 1, 2, 4 … polls, at most this many. */
const MAX_SKIPPED_POLLS = 32;

export interface RegistryWatchOptions {
  readonly client: Pick<MlflowClient, "resolve" | "download">;
  readonly reference: ModelReference;
  readonly pollMs: number;
  readonly logger: Logger;
  /** Whether the registry's version is another model than the one in use. */
  readonly wants: (version: string, sha256: string | undefined) => boolean;
  readonly onModel: (model: LoadedModel) => void;
  readonly onOutcome: (outcome: LoadOutcome) => void;
}

/** Follows a model of the registry: looks now and then, and delivers each new version once it is fetched and checked. */
export class RegistryWatch {
  readonly #options: RegistryWatchOptions;
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #connected: boolean | undefined;
  #version: string | undefined;
  #problem: string | undefined;
  #failures = 0;
  #refused = { key: "", times: 0, skip: 0 };

  constructor(options: RegistryWatchOptions) {
    this.#options = options;
  }

  /** Whether the registry answered the last look. */
  get connected(): boolean {
    return this.#connected === true;
  }

  /** The version that the registry offers, as far as it ever answered: `helius-reco/3`. */
  get version(): string | undefined {
    return this.#version;
  }

  /** Why the registry's model is not in use; undefined when nothing is wrong. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Looks at once, and from then on regularly. */
  start(): void {
    const turn = async () => {
      this.#running = this.poll();
      await this.#running;
      if (this.#stop.signal.aborted) return;
      this.#timer = setTimeout(turn, this.#pauseMs());
    };
    void turn();
  }

  /** Ends the look under way, and there will be no other. */
  async stop(): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#timer);
    await this.#running;
  }

  /** One look. Never throws. */
  async poll(): Promise<void> {
    let offered: RegistryVersion;
    try {
      offered = await this.#options.client.resolve(this.#options.reference, this.#stop.signal);
    } catch (error) {
      this.#failed(error);
      return;
    }
    this.#answered();
    this.#version = `${offered.name}/${offered.version}`;
    if (!this.#options.wants(this.#version, offered.sha256)) {
      this.#problem = undefined;
      return;
    }
    await this.#fetch(offered, this.#version);
  }

  async #fetch(offered: RegistryVersion, version: string): Promise<void> {
    const key = `${version} ${offered.updatedMs}`;
    if (this.#refused.key === key && this.#refused.skip > 0) {
      this.#refused.skip -= 1;
      return;
    }
    try {
      const artifact = await this.#options.client.download(offered, this.#stop.signal);
      if (offered.sha256 !== undefined && offered.sha256 !== fingerprint(artifact)) {
        throw new ModelFormatError("the SHA-256 is not the one of the version's tag");
      }
      const body = decodeModel(artifact);
      this.#refused = { key: "", times: 0, skip: 0 };
      this.#problem = undefined;
      this.#options.onOutcome("loaded");
      this.#options.onModel({ body, artifact, version, origin: "registry", supersedes: null });
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#refuse(key, version, error);
    }
  }

  #refuse(key: string, version: string, error: unknown): void {
    const times = this.#refused.key === key ? this.#refused.times + 1 : 1;
    this.#refused = { key, times, skip: Math.min(MAX_SKIPPED_POLLS, 2 ** (times - 1)) - 1 };
    this.#problem = `${version}: ${(error as Error).message}`;
    this.#options.onOutcome("rejected");
    this.#options.logger.error(
      { version, reason: (error as Error).message, times },
      "registry model rejected",
    );
  }

  #failed(error: unknown): void {
    if (this.#stop.signal.aborted) return;
    const unreachable = !(error instanceof MlflowError) || error.problem === "unreachable";
    const { message } = error as Error;
    const news = this.#problem !== message;
    this.#problem = message;
    if (!unreachable) {
      this.#answered();
      if (news) this.#options.logger.warn({ reason: message }, "registry has no such model");
      return;
    }
    this.#failures += 1;
    this.#options.onOutcome("unreachable");
    if (this.#connected !== false) this.#options.logger.warn({ reason: message }, "mlflow unreachable");
    this.#connected = false;
  }

  #answered(): void {
    this.#failures = 0;
    if (this.#connected !== true) this.#options.logger.info({}, "mlflow reachable");
    this.#connected = true;
  }

  /** Sooner after a failure; never in step with others. */
  #pauseMs(): number {
    const { pollMs } = this.#options;
    const pause =
      this.#failures === 0 ? pollMs : Math.min(pollMs, FIRST_RETRY_MS * 2 ** (this.#failures - 1));
    return pause * (0.9 + 0.2 * Math.random());
  }
}
