/**
 * The catalogue in memory: what is publicly known of each provider's models. Read once at start; the tests hold every
 * file against its schema, so nothing is validated here.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CatalogueFile, CatalogueModel } from '../contract/catalogue.ts';
import { bookOf, type PriceBook } from './pricing.ts';

export interface Catalogue {
  /** By provider id. */
  readonly providers: ReadonlyMap<string, CatalogueFile>;
  /**
   * The model of this provider by id, alias or display name, in this order, each in any case where no other model
   * differs by case only. null when it lists none.
   */
  find(provider: string, name: string): CatalogueModel | null;
  /** null when the catalogue knows no price for it. */
  prices(model: CatalogueModel): PriceBook | null;
}

type Names = ReadonlyMap<string, CatalogueModel>;

/** Throws when the directory or one of its files cannot be read. */
export function loadCatalogue(directory: string): Catalogue {
  const files = readdirSync(directory)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => JSON.parse(readFileSync(join(directory, name), 'utf8')) as CatalogueFile);
  return createCatalogue(files);
}

export function createCatalogue(files: readonly CatalogueFile[]): Catalogue {
  const providers = new Map(files.map((file) => [file.provider, file]));
  const indexes = new Map<string, Names>();
  const books = new Map<CatalogueModel, PriceBook | null>();
  const namesOf = (provider: string): Names | undefined => {
    const known = indexes.get(provider);
    if (known !== undefined) return known;
    const file = providers.get(provider);
    if (file === undefined) return undefined;
    const names = indexModels(file.models);
    indexes.set(provider, names);
    return names;
  };
  return {
    providers,
    find(provider, name) {
      const names = namesOf(provider);
      return names?.get(name) ?? names?.get(name.toLowerCase()) ?? null;
    },
    prices(model) {
      const known = books.get(model);
      if (known !== undefined) return known;
      const book = bookOf(model);
      books.set(model, book);
      return book;
    },
  };
}

/** First come, first served: an exact id is never hidden by another model's alias or display name. */
function indexModels(models: readonly CatalogueModel[]): Names {
  const names = new Map<string, CatalogueModel>();
  const add = (name: string, model: CatalogueModel): void => {
    if (!names.has(name)) names.set(name, model);
  };
  for (const model of models) add(model.id, model);
  for (const model of models) for (const alias of model.aliases ?? []) add(alias, model);
  for (const model of models) add(model.id.toLowerCase(), model);
  for (const model of models) for (const alias of model.aliases ?? []) add(alias.toLowerCase(), model);
  for (const model of models) add(model.name.toLowerCase(), model);
  return names;
}
