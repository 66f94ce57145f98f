/** Tells of a value that is wrong only beside another. */
export type Complain = (path: readonly PropertyKey[], message: string) => void;

/** One thing that is wrong with the configuration. */
export interface ConfigProblem {
  /** `file:line:col`, `--flag` or `environment NAME`. */
  readonly where: string;
  /** The key, dotted. */
  readonly key: string;
  /** What is wrong and what would be right. */
  readonly message: string;
}

/** The configuration cannot be used. The message has one line a problem. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly ConfigProblem[];
  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map((p) => `${p.where}: ${p.key === "" ? "" : `${p.key} `}${p.message}`).join("\n"));
    this.problems = problems;
  }
}
