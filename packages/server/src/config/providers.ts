/** Which providers are configured: vendors whose key is in the environment, and those the file names. */
import type { Secret } from '../contract/secret.ts';
import type { ModelSettings, ProviderSettings } from '../contract/settings.ts';
import type { FileModel, FileProvider } from './file-schema.ts';
import { didYouMean, nearest, ValueError, type Problem } from './problem.ts';
import type { ConfigFile, Environment } from './read-file.ts';
import { headerSecret, httpUrl } from './values.ts';

/** What configuration must know of a vendor; providers/registry.ts lists them. */
export interface Vendor {
  readonly id: string;
  /** Environment names of the key and of the base URL, first wins. */
  readonly keyNames: readonly string[];
  readonly baseUrlNames: readonly string[];
  /** null: must be configured. */
  readonly baseUrl: string | null;
  readonly keyless?: boolean;
  /** Found by looking for it, so not configured merely because it needs no key. */
  readonly loopback?: boolean;
  /** Served through a package that knows the vendor's address; null: the option `package` must name it. */
  readonly adapter?: { readonly package: string | null };
}

/** Where complaints go while everything is read, so that all of them are shown at once. */
export interface Notes {
  readonly problems: Problem[];
  readonly warnings: string[];
}

interface Inputs {
  readonly vendors: readonly Vendor[];
  readonly environment: Environment;
  readonly file: ConfigFile | null;
  /** Our own addresses: a base URL there would make the gateway call itself. */
  readonly ownOrigins: readonly string[];
}

const envPrefix = (id: string): string => id.toUpperCase().replaceAll('-', '_');

export function readProviders(inputs: Inputs, notes: Notes): ProviderSettings[] {
  const listed = inputs.file?.settings.providers ?? {};
  const found: ProviderSettings[] = [];
  for (const vendor of inputs.vendors) {
    if (Object.hasOwn(listed, vendor.id)) continue;
    const provider = fromEnvironment(vendor, inputs, notes);
    if (provider !== null) found.push(provider);
  }
  for (const [id, entry] of Object.entries(listed)) {
    const provider = fromFile(id, entry, inputs, notes);
    if (provider !== null) found.push(provider);
  }
  return found;
}

interface Variable<T> {
  readonly name: string;
  readonly value: T;
}

function variable<T>(
  names: readonly string[],
  read: (text: string) => T,
  inputs: Inputs,
  notes: Notes,
): Variable<T> | null {
  for (const name of names) {
    const text = inputs.environment[name];
    if (text === undefined || text.trim() === '') continue;
    try {
      return { name, value: read(text.trim()) };
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      notes.problems.push({ where: name, sentence: error.message });
      return null;
    }
  }
  return null;
}

/** A key of our own, meant for a client in the same shell, is nobody's provider key. */
function readKey(names: readonly string[], inputs: Inputs, notes: Notes): Variable<Secret> | null {
  const key = variable(names, headerSecret, inputs, notes);
  if (key === null || !key.value.reveal().startsWith('indox-')) return key;
  notes.warnings.push(`${key.name} holds a key of this gateway, not of a provider: ignored`);
  return null;
}

function readBaseUrl(names: readonly string[], inputs: Inputs, notes: Notes): Variable<string> | null {
  const url = variable(names, httpUrl, inputs, notes);
  if (url === null || !inputs.ownOrigins.includes(new URL(url.value).host)) return url;
  notes.warnings.push(`${url.name} points at this gateway itself: ignored`);
  return null;
}

function fromEnvironment(vendor: Vendor, inputs: Inputs, notes: Notes): ProviderSettings | null {
  const apiKey = readKey(vendor.keyNames, inputs, notes);
  const baseUrl = readBaseUrl(vendor.baseUrlNames, inputs, notes);
  const isKeyless = vendor.keyless === true && (vendor.loopback !== true || baseUrl !== null);
  // An address alone serves callers who bring their own key: there, and nowhere else.
  if (apiKey === null && !isKeyless && (baseUrl === null || vendor.loopback === true)) return null;
  if (vendor.baseUrl === null && baseUrl === null && apiKey !== null && vendor.adapter === undefined) {
    const wanted = vendor.baseUrlNames[0] ?? `${envPrefix(vendor.id)}_BASE_URL`;
    notes.warnings.push(`${apiKey.name} is set but ${wanted} is not: ${vendor.id} is not configured`);
    return null;
  }
  return {
    id: vendor.id,
    vendor: vendor.id,
    apiKey: apiKey?.value ?? null,
    baseUrl: baseUrl?.value ?? null,
    options: {},
    headers: {},
  };
}

function fromFile(
  id: string,
  entry: FileProvider | null,
  inputs: Inputs,
  notes: Notes,
): ProviderSettings | null {
  const where = (...member: string[]): string => inputs.file?.where(['providers', id, ...member]) ?? id;
  const type = entry?.type ?? id;
  const vendor = inputs.vendors.find((each) => each.id === type);
  if (vendor === undefined) {
    const ids = inputs.vendors.map((each) => each.id);
    const hint =
      entry?.type === undefined && nearest(id, ids) === null
        ? '; a name of your own needs a `type`, such as openai-compatible'
        : didYouMean(type, ids);
    notes.problems.push({
      where: where(...(entry?.type === undefined ? [] : ['type'])),
      sentence: `is not a known vendor${hint}`,
    });
    return null;
  }
  const own = id === vendor.id;
  const keyNames = own ? vendor.keyNames : [`${envPrefix(id)}_API_KEY`];
  const urlNames = own ? vendor.baseUrlNames : [`${envPrefix(id)}_BASE_URL`];
  const apiKey = mergeKey(readKey(keyNames, inputs, notes), entry?.api_key, where('api_key'), notes);
  const baseUrl =
    readBaseUrl(urlNames, inputs, notes)?.value ?? fileUrl(entry?.base_url, where('base_url'), notes);
  if (vendor.adapter?.package === null && entry?.options?.['package'] === undefined)
    notes.problems.push({
      where: where(),
      sentence: `needs the option package: a provider package of the AI SDK, such as @ai-sdk/fireworks`,
    });
  const isPlaced = vendor.baseUrl !== null || baseUrl !== null || vendor.adapter !== undefined;
  if (!isPlaced && vendor.keyless !== true) {
    notes.problems.push({
      where: where(),
      sentence: `needs a base_url (or ${urlNames[0] ?? 'one'} in the environment)`,
    });
  }
  if (apiKey === null && vendor.keyless !== true && baseUrl === null) {
    notes.warnings.push(
      `${where()}: no key (api_key, or ${keyNames[0] ?? 'one'} in the environment): only callers who bring theirs can use it`,
    );
  }
  return {
    id,
    vendor: vendor.id,
    apiKey,
    baseUrl,
    options: entry?.options ?? {},
    headers: entry?.headers ?? {},
  };
}

function mergeKey(
  fromEnv: Variable<Secret> | null,
  written: string | undefined,
  where: string,
  notes: Notes,
): Secret | null {
  if (written === undefined || written === '') return fromEnv?.value ?? null;
  if (fromEnv !== null) {
    if (fromEnv.value.reveal() !== written.trim())
      notes.warnings.push(`${fromEnv.name} is used instead of ${where}`);
    return fromEnv.value;
  }
  try {
    return headerSecret(written);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    notes.problems.push({ where, sentence: error.message });
    return null;
  }
}

function fileUrl(written: string | undefined, where: string, notes: Notes): string | null {
  if (written === undefined || written === '') return null;
  try {
    return httpUrl(written);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    notes.problems.push({ where, sentence: error.message });
    return null;
  }
}

/** The file's models; a target that names no configured provider is a problem. Keyless vendors count as configured. */
export function readModels(
  file: ConfigFile,
  providers: ProviderSettings[],
  vendors: readonly Vendor[],
  notes: Notes,
): ModelSettings[] {
  const checkTarget = (provider: string, path: readonly (string | number)[]): void => {
    if (providers.some((each) => each.id === provider)) return;
    const vendor = vendors.find((each) => each.id === provider);
    if (vendor?.keyless === true) {
      providers.push({
        id: provider,
        vendor: provider,
        apiKey: null,
        baseUrl: null,
        options: {},
        headers: {},
      });
      return;
    }
    const key = vendor?.keyNames[0];
    const hint =
      key === undefined
        ? didYouMean(
            provider,
            providers.map((each) => each.id),
          )
        : `: set ${key}, or list it under providers`;
    notes.problems.push({ where: file.where(path), sentence: `is not a configured provider${hint}` });
  };
  return Object.entries(file.settings.models).map(([id, model]: [string, FileModel]) => {
    for (const [index, target] of model.targets.entries()) {
      checkTarget(target.provider, ['models', id, 'targets', index, 'provider']);
    }
    return {
      id,
      targets: model.targets,
      prices: model.prices === undefined ? null : (model.prices as ModelSettings['prices']),
      unitPrices: model.unit_prices ?? null,
      contextWindow: model.context_window ?? null,
      maxOutputTokens: model.max_output_tokens ?? null,
    };
  });
}

/** An alias must end at something that is no alias. */
export function checkAliases(file: ConfigFile, notes: Notes): void {
  const aliases = file.settings.aliases;
  for (const start of Object.keys(aliases)) {
    const seen = new Set([start]);
    let next = aliases[start];
    while (next !== undefined && !seen.has(next)) {
      seen.add(next);
      next = Object.hasOwn(aliases, next) ? aliases[next] : undefined;
    }
    if (next === start)
      notes.problems.push({ where: file.where(['aliases', start]), sentence: 'goes round in a circle' });
  }
}
