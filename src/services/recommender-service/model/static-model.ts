import type { Recommendation } from "./item-model.ts";
import { rounded } from "./item-model.ts";

/** The most popular products of the generated interactions, best first. `train.ts --print-static` prints both lists. @internal for its tests */
export const STATIC_IDS: readonly number[] = [
  90, 387, 394, 58, 198, 398, 113, 136, 133, 166, 399, 304, 468, 193, 477, 124, 469, 70, 276, 82, 225, 21, 57,
  217, 44, 127, 244, 79, 227, 274, 360, 438, 462, 291, 141, 443, 195, 128, 431, 7, 120, 481, 49, 488, 436,
  268, 305, 187, 102, 34, 178, 325, 165, 172, 434, 14, 381, 338, 361, 357, 454, 28, 353, 452, 368, 463, 111,
  246, 475, 251, 104, 47, 13, 183, 288, 451, 10, 97, 203, 460, 407, 156, 362, 232, 352, 149, 262, 117, 77,
  211, 316, 478, 253, 500, 464, 189, 393, 238, 162, 26, 56, 383, 126, 309, 53, 295, 332, 196, 32, 233, 119,
  417, 155, 224, 308, 499, 327, 455, 459, 186, 370, 163, 448, 20, 254, 328, 487, 68, 260, 321, 263, 18, 221,
  373, 235, 426, 201, 105, 382, 27, 173, 395, 6, 297, 109, 73, 248, 413, 379, 419,
];

/** Customers of each of them. @internal for its tests */
export const STATIC_CUSTOMERS: readonly number[] = [
  3309, 935, 734, 644, 576, 542, 499, 476, 453, 444, 428, 424, 420, 414, 412, 411, 405, 400, 400, 397, 396,
  394, 392, 385, 380, 378, 378, 375, 375, 374, 373, 366, 365, 362, 361, 361, 360, 356, 353, 349, 330, 293,
  265, 265, 249, 246, 238, 223, 222, 219, 214, 210, 209, 208, 208, 205, 199, 197, 195, 193, 192, 191, 190,
  188, 187, 183, 181, 181, 181, 180, 179, 178, 175, 175, 175, 175, 174, 174, 172, 169, 163, 161, 161, 159,
  159, 158, 158, 157, 155, 154, 153, 153, 152, 152, 151, 150, 148, 147, 146, 145, 145, 144, 142, 141, 140,
  140, 140, 139, 138, 137, 134, 134, 133, 133, 132, 132, 131, 131, 131, 130, 130, 129, 129, 128, 128, 128,
  128, 126, 126, 126, 125, 124, 124, 122, 121, 121, 120, 119, 119, 118, 118, 118, 117, 116, 115, 114, 114,
  114, 113, 113,
];

/** As `model_version` of an answer. */
export const STATIC_VERSION = "static-1";

/**
 * The `count` most popular products that are not in the history; at most 50 for a history of at most 100. Needs no file
 * and no network, so that there always is an answer.
 */
export function recommendStatic(history: readonly number[], count: number): readonly Recommendation[] {
  const seen = new Set(history);
  const most = STATIC_CUSTOMERS[0] ?? 1;
  return STATIC_IDS.map((id, rank) => ({ id, score: rounded((STATIC_CUSTOMERS[rank] ?? 0) / most) }))
    .filter(({ id }) => !seen.has(id))
    .slice(0, count)
    .map(({ id, score }) => ({ id, score, because: [{ reason: "popularity", contribution: score }] }));
}
