import type { Goal, Results } from "./goal.ts";
import type { Instruments } from "./instruments.ts";
import type { MqttFleet } from "./mqtt-fleet.ts";
import type { Heal, Pace } from "./pace.ts";
import type { LevelSpec } from "./recording.ts";

/** What an incident can do to the installation of a drill. */
export interface Stage {
  readonly pace: Pace;
  /** Fleets of devices by region. */
  readonly fleets: ReadonlyMap<string, MqttFleet>;
  /** `POST /admin/fault?QUERY` of a service. */
  fault(service: string, query: string): Promise<void>;
  /** Takes a service away at once, as a lost machine would; it stays away. */
  takeAway(service: string): Promise<void>;
  /** Makes the tracking server accept connections and never answer. */
  hangMlflow(): void;
  /** Takes Prometheus away; does nothing where there is none. */
  takePrometheusAway(): Promise<void>;
  /** Calls back after so many seconds from now, unless the run ends first. */
  after(seconds: number, then: () => void): void;
}

/** What a drill needs beside services. */
interface Surroundings {
  /** MLflow and a Kubernetes API that restarts it; both stand-ins. */
  readonly mlflow?: boolean;
  /** The monitor asks Prometheus first; without a real one, an address where nobody is. */
  readonly askPrometheus?: boolean;
}

/** One staged incident. One file of `src/lab/drill/drills` each. */
export interface Drill {
  readonly name: string;
  /** One line for people. */
  readonly title: string;
  level(pace: Pace): LevelSpec;
  /** Services that are started, product-api and telemetry-gateway among them. */
  readonly services: readonly string[];
  readonly surroundings: Surroundings;
  /** Targets that an act must be on to count as detection. */
  readonly targets: readonly string[];
  /** Ways it can be healed beside `off` and `on`. */
  readonly extraHeals: readonly Heal[];
  /** NoTriggerReason time before the onset and length of the incident, seconds of a real installation. */
  readonly quietS: number;
  readonly incidentS: number;
  /** Telemetry of an ordinary day, messages a second of each region at speed 30. */
  readonly telemetryRate: number;
  /** Variables of the services. */
  env(pace: Pace): Readonly<Record<string, string>>;
  /** The monitor's signals where they differ from what every drill has, by target; as in config/helius.yml. */
  signals(heal: Heal): Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Region that the devices of a region turn to when theirs is isolated. */
  readonly failover?: Readonly<Record<string, string>>;
  /** The onset. */
  incident(stage: Stage): Promise<void>;
  /** Opens what reads the level, a few times a second; undefined: not known. */
  meter(instruments: Instruments): () => Promise<number | undefined> | number | undefined;
  goals(results: Results): Goal[];
}
