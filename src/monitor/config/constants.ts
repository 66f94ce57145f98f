import { z } from "zod";
import { flag, number } from "../../common/settings/fields.ts";
import { type TrendConstants, type TrendKind, trendSettings } from "../forecast/settings.ts";

/** Every constant of one group, each optional: whole or broken, never negative; a probability is a share. */
function constantsOf(defaults: object) {
  return z.strictObject(
    Object.fromEntries(
      Object.entries(defaults).map(([name, value]) => [
        name,
        (typeof value === "boolean"
          ? flag()
          : number({ min: 0, max: name === "probability" ? 1 : 1e9, unit: `default ${value}` })
        ).optional(),
      ]),
    ),
  );
}

const SHAPES: readonly TrendKind[] = ["latency", "ratio", "memory", "backlog"];

const schema = z
  .strictObject(
    Object.fromEntries(
      SHAPES.map((kind) => {
        const { filter, envelope } = trendSettings(kind, "default");
        const groups = { filter: constantsOf(filter).optional() };
        const all =
          envelope === undefined ? groups : { ...groups, envelope: constantsOf(envelope).optional() };
        return [kind, z.strictObject(all).optional()];
      }),
    ),
  )
  .optional();

/** `predict.constants`: constants of the trend predictor, by the shape of a signal. */
export const constantsSchema = schema as unknown as z.ZodOptional<
  z.ZodType<Readonly<Partial<Record<TrendKind, TrendConstants>>>>
>;
