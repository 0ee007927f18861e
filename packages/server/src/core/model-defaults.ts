/** Which model serves when the caller names none. */
import type { Capability } from '../contract/catalogue.ts';
import { badField } from '../contract/errors.ts';
import type { Settings } from '../contract/settings.ts';
import type { Catalogue } from './catalogue.ts';
import type { FoundModels } from './found.ts';
import type { Access, Roster } from './roster.ts';

export interface Sources {
  readonly catalogue: Catalogue;
  readonly settings: Pick<Settings, 'defaults'>;
  readonly found: FoundModels;
  readonly roster: Roster;
}

/**
 * The configuration's default, else that of the first usable provider that has one; `local/*` only while nothing else is
 * usable. Throws a 400 naming `model` when there is none.
 */
export function defaultName(
  sources: Sources,
  providerField: string | null,
  capability: Capability,
  byok: boolean,
): string {
  const { settings, roster } = sources;
  if (providerField !== null) {
    const access = roster.access(providerField.toLowerCase(), byok);
    const name = defaultOf(sources, access, capability);
    if (name !== null) return name;
    throw badField('model', `'model' is required: '${providerField}' has no default model for ${capability}`);
  }
  const written =
    settings.defaults[capability] ?? (capability === 'completion' ? settings.defaults.chat : undefined);
  if (written !== undefined) return written;
  const usable = roster.usable();
  const outside = usable.filter((each) => each.vendor.inProcess === undefined);
  for (const access of outside.length > 0 ? outside : usable) {
    const name = defaultOf(sources, access, capability);
    if (name !== null) return name;
  }
  throw badField('model', `'model' is required: no default model for ${capability} is configured`);
}

function defaultOf({ catalogue, found }: Sources, access: Access, capability: Capability): string | null {
  const { provider } = access;
  const defaults = catalogue.providers.get(provider.vendor)?.defaults ?? {};
  const listed = defaults[capability] ?? (capability === 'completion' ? defaults.chat : undefined);
  if (listed !== undefined) return `${provider.id}/${listed}`;
  const own = found.models(provider.id).find(({ capabilities }) => capabilities.includes(capability));
  return own === undefined ? null : `${provider.id}/${own.id}`;
}
