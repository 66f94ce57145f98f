import type { Page } from "playwright-core";

export const AUTHOR = "Ana";
export const REASON = "a rehearsal";

/** Fills the dialog that asks for token, author and reason, and sends it. `fields`: others, by their label. */
export async function say(
  page: Page,
  token: string,
  fields: Readonly<Record<string, string>> = {},
): Promise<void> {
  const dialog = page.getByRole("dialog");
  await dialog.waitFor();
  await dialog.getByLabel("Author").fill(AUTHOR);
  await dialog.getByLabel("Reason").fill(REASON);
  await dialog.getByLabel("Token").fill(token);
  for (const [label, value] of Object.entries(fields)) {
    const field = dialog.getByLabel(label);
    if ((await field.evaluate((element) => element.tagName)) === "SELECT") await field.selectOption(value);
    else await field.fill(value);
  }
  await dialog.locator("button[type=submit]").click();
}
