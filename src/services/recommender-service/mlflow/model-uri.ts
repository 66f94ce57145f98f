/** Which version of a registered model is wanted. */
type VersionSelector =
  | { readonly kind: "version"; readonly version: string }
  | { readonly kind: "stage"; readonly stage: string }
  | { readonly kind: "alias"; readonly alias: string }
  | { readonly kind: "latest" };

export interface ModelReference {
  /** Name of the registered model. */
  readonly name: string;
  readonly selector: VersionSelector;
}

/** What a right model URI looks like, for people. */
export const MODEL_URI_FORMS =
  "models:/NAME/STAGE, models:/NAME/VERSION, models:/NAME@ALIAS or models:/NAME/latest";

const FORM = /^models:\/(?<name>[^/@:\s]{1,256})(?:\/(?<suffix>[\w-]{1,100})|@(?<alias>[\w-]{1,255}))$/;

/** Reads `models:/helius-reco/Production`, `/3`, `@champion` or `/latest`; undefined when it is none of them. */
export function parseModelUri(text: string): ModelReference | undefined {
  const parts = FORM.exec(text)?.groups;
  if (parts?.name === undefined) return undefined;
  const { name, suffix, alias } = parts;
  if (alias !== undefined) return { name, selector: { kind: "alias", alias } };
  if (suffix === undefined) return undefined;
  if (/^[1-9]\d*$/.test(suffix)) return { name, selector: { kind: "version", version: suffix } };
  if (/^\d+$/.test(suffix)) return undefined;
  if (suffix.toLowerCase() === "latest") return { name, selector: { kind: "latest" } };
  return { name, selector: { kind: "stage", stage: suffix } };
}
