import { actionPlugins } from "../../src/monitor/actions/index.ts";
import { code, table, withGenerated } from "./tables.ts";

/** docs/actions.md with its table of kinds written anew from their descriptors. */
export function actionsReference(text: string): string {
  return withGenerated(text, { kinds: kinds() });
}

function kinds(): string {
  return table(
    ["kind", "carried out on", "parameters", "taken back by", "ends by itself", "what it does"],
    actionPlugins.map(({ kind, docs, on, parameters, undo, expiresMs }) => [
      code(kind),
      on,
      on === "call"
        ? "those that its templates name"
        : Object.entries(parameters)
            .map(([name, { required }]) => code(`${name}${required ? "" : "?"}`))
            .join(", "),
      undo === undefined ? "" : code(undo(docs.example).kind),
      expiresMs === undefined ? "" : "after `seconds`",
      docs.summary,
    ]),
  );
}
