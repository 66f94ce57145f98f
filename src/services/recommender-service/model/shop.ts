import { CATEGORIES, createCatalogue } from "../../product-api/catalogue.ts";

/** The catalogue that the shop sells: the same size and seed as the product API's. */
export const SHOP = { size: 500, seed: 20_240_501 } as const;

export interface Shop {
  /** Category of a product; undefined for an id that is not sold. */
  categoryOf(id: number): string | undefined;
  readonly ids: readonly number[];
  readonly categories: readonly string[];
}

/** The shop's products as far as the recommender needs them. */
export function openShop(): Shop {
  const products = createCatalogue(SHOP);
  const categories = new Map(products.map((product) => [product.id, product.category]));
  return {
    categoryOf: (id) => categories.get(id),
    ids: [...categories.keys()],
    categories: CATEGORIES,
  };
}
