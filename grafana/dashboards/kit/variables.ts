import {
  QueryVariableBuilder,
  VariableRefresh,
  VariableSort,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { PROMETHEUS } from "./queries.ts";

/**
 * A choice among the values of a label. "All" is `.+`: Loki takes no matcher that fits everything, and with no data at
 * all the queries stay valid.
 * @param options.first value that is chosen when the page is opened; default: all
 */
export function labelVariable(options: {
  readonly name: string;
  readonly label: string;
  readonly description: string;
  readonly metric: string;
  readonly of: string;
  readonly first?: string;
}): QueryVariableBuilder {
  const { name, label, description, metric, of, first } = options;
  const query = `label_values(${metric}, ${of})`;
  return new QueryVariableBuilder(name)
    .label(label)
    .description(description)
    .datasource(PROMETHEUS)
    .query({ query, refId: `variable-${name}` })
    .definition(query)
    .multi(true)
    .includeAll(true)
    .allValue(".+")
    .current(
      first === undefined
        ? { selected: true, text: ["All"], value: ["$__all"] }
        : { selected: true, text: [first], value: [first] },
    )
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc);
}
