import {
  type DynamicConfigValue,
  MappingType,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type ValueMapping,
} from "@grafana/grafana-foundation-sdk/dashboard";

/** Colours that stay apart for people who see no red and green; what they say is also said by a dash or a word. */
export const BLUE = "#3274d9";
export const ORANGE = "#e08b00";
export const GREY = "#8e8e8e";
export const GREEN = "#1a9988";
export const RED = "#d44a3a";
export const PURPLE = "#a352cc";

const SOLID: readonly number[] = [];
export const DASHED: readonly number[] = [10, 6];
export const DOTTED: readonly number[] = [2, 4];
export const DASH_DOT: readonly number[] = [14, 5, 2, 5];

/** How one line of a plot is drawn: told apart by its dash, not by its colour alone. */
export function line(options: {
  readonly color: string;
  readonly dash?: readonly number[];
  readonly width?: number;
  /** Name of the line down to which the space is filled. */
  readonly fillTo?: string;
  readonly more?: readonly DynamicConfigValue[];
}): DynamicConfigValue[] {
  const { color, dash = SOLID, width = 1, fillTo, more = [] } = options;
  return [
    { id: "color", value: { mode: "fixed", fixedColor: color } },
    {
      id: "custom.lineStyle",
      value: dash.length === 0 ? { fill: "solid" } : { fill: "dash", dash: [...dash] },
    },
    { id: "custom.lineWidth", value: width },
    ...(fillTo === undefined
      ? []
      : [
          { id: "custom.fillBelowTo", value: fillTo },
          { id: "custom.fillOpacity", value: 12 },
        ]),
    ...more,
  ];
}

/** A state as a number, the word that is shown for it, and its colour. */
export type States = Readonly<Record<number, readonly [text: string, color: string]>>;

/** Words for numbers. */
export function words(states: States): ValueMapping[] {
  const options = Object.fromEntries(
    Object.entries(states).map(([value, [text, color]], index) => [value, { text, color, index }]),
  );
  return [{ type: MappingType.ValueToText, options }];
}

/** Colours by value; the first begins at minus infinity. */
export function thresholds(
  first: string,
  ...steps: readonly (readonly [value: number, color: string])[]
): ThresholdsConfigBuilder {
  return new ThresholdsConfigBuilder()
    .mode(ThresholdsMode.Absolute)
    .steps([{ value: null, color: first }, ...steps.map(([value, color]) => ({ value, color }))]);
}
