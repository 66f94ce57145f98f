import type { Checker } from "../world/facts.ts";
import { cooldownChecker } from "./cooldown.ts";
import { DataChecker } from "./data.ts";
import { endsChecker } from "./ends.ts";
import { ExplainsChecker } from "./explains.ts";
import { ForgetsChecker } from "./forgets.ts";
import { HoldsChecker } from "./holds.ts";
import { JournalChecker } from "./journal.ts";
import type { Sight } from "./kit.ts";
import { VerifiesChecker } from "./verifies.ts";

/** Every promise watched, in their order. */
export function checkers(sight: Sight): Checker[] {
  return [
    cooldownChecker(sight),
    new DataChecker(sight),
    new ForgetsChecker(sight),
    new JournalChecker(sight),
    new ExplainsChecker(sight),
    new HoldsChecker(sight),
    new VerifiesChecker(sight),
    endsChecker(sight),
  ];
}
