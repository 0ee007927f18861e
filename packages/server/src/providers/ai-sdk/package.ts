/** A provider package of the AI SDK: found, loaded when a call first wants it, and asked for one model. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { GatewayError } from '../../contract/errors.ts';
import { isObject } from '../exact-json.ts';
import type { AdapterAccess } from '../provider.ts';
import { modelMethods, type SdkModels } from './spec.ts';

type Namespace = Readonly<Record<string, unknown>>;
type Factory = (options: object) => unknown;

const loaded = new Map<string, Promise<Namespace>>();

/** Beside the gateway, else in the folder it was started in. */
async function load(name: string): Promise<Namespace> {
  try {
    return (await import(name)) as Namespace;
  } catch (cause) {
    if (!isMissing(cause, name)) throw unusable(name, cause);
  }
  let path: string;
  try {
    path = createRequire(join(process.cwd(), 'indoxhub.js')).resolve(name);
  } catch (cause) {
    throw new GatewayError(
      'feature_unavailable',
      `This provider needs the package ${name}, which is not installed here: npm install ${packageOf(name)}`,
      { cause },
    );
  }
  return (await import(pathToFileURL(path).href).catch((cause: unknown) => {
    throw unusable(name, cause);
  })) as Namespace;
}

/** Without the path inside it. */
const packageOf = (name: string): string =>
  name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/');

/** Itself, not something it needs. */
const isMissing = (error: unknown, name: string): boolean =>
  error instanceof Error &&
  (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND' &&
  error.message.includes(`'${packageOf(name)}'`);

const unusable = (name: string, cause: unknown): GatewayError =>
  new GatewayError('feature_unavailable', `The package ${name} cannot be used here.`, { cause });

/** `createLMNT` and the like; where there are several the option `factory` names one. */
function factoryOf(namespace: Namespace, name: string, wanted: string | undefined): Factory {
  const names = Object.keys(namespace).filter(
    (each) => /^create[A-Z]/.test(each) && typeof namespace[each] === 'function',
  );
  const chosen = wanted ?? (names.length === 1 ? names[0] : undefined);
  const factory = chosen === undefined ? undefined : namespace[chosen];
  if (typeof factory === 'function') return factory as Factory;
  throw new GatewayError(
    'feature_unavailable',
    names.length === 0
      ? `The package ${name} is no provider of the AI SDK.`
      : `The package ${name} has several providers: set the option factory to one of ${names.join(', ')}.`,
  );
}

/** Of the configuration, not of a caller; still no path out of where packages lie. */
const packageName = /^(@[a-z0-9][\w.-]*\/)?[a-z0-9][\w.-]*(\/[a-z0-9][\w.-]*)*$/;

/**
 * Throws `feature_unavailable` where the package is not there or too old, and a 400 naming `model` where it does not do
 * such a thing.
 */
export async function openModel<Kind extends keyof SdkModels>(
  kind: Kind,
  model: string,
  access: AdapterAccess,
  ownPackage: string | null,
): Promise<SdkModels[Kind]> {
  const { package: written, factory, ...options } = access.options;
  const name = nameOf(written, ownPackage);
  const namespace = await remembered(name);
  const provider = factoryOf(
    namespace,
    name,
    factory,
  )({
    ...options,
    ...(access.apiKey === null ? {} : { apiKey: access.apiKey }),
    ...(access.baseUrl === null ? {} : { baseURL: access.baseUrl }),
    headers: access.headers,
    fetch: access.fetch,
  });
  return modelOf(provider, kind, model, name);
}

/** Throws `feature_unavailable` with what is wrong, where a call would. */
export async function checkPackage(
  { package: written, factory }: AdapterAccess['options'],
  own: string | null,
): Promise<void> {
  const name = nameOf(written, own);
  factoryOf(await remembered(name), name, factory);
}

function nameOf(written: string | undefined, own: string | null): string {
  const name = written ?? own;
  if (name !== null && packageName.test(name)) return name;
  throw new GatewayError(
    'feature_unavailable',
    "This provider is not configured whole: its option 'package' must name an npm package.",
  );
}

function remembered(name: string): Promise<Namespace> {
  let namespace = loaded.get(name);
  if (namespace === undefined) {
    // One that could not be loaded is tried again by the next call.
    namespace = load(name).catch((error: unknown) => {
      loaded.delete(name);
      throw error;
    });
    loaded.set(name, namespace);
  }
  return namespace;
}

function modelOf<Kind extends keyof SdkModels>(
  provider: unknown,
  kind: Kind,
  id: string,
  name: string,
): SdkModels[Kind] {
  const isProvider = typeof provider === 'function' || isObject(provider);
  const methods = isProvider ? (provider as Namespace) : {};
  const method = modelMethods[kind].map((each) => methods[each]).find((each) => typeof each === 'function');
  const model: unknown = method === undefined ? null : made(method as (id: string) => unknown, provider, id);
  if (!isObject(model))
    throw new GatewayError('bad_request', `The package ${name} has no ${kind} model '${id}'.`, {
      param: 'model',
    });
  const version = model['specificationVersion'];
  if (version !== 'v3' && version !== 'v4')
    throw new GatewayError(
      'feature_unavailable',
      `The package ${name} is of another generation of the AI SDK: update it with npm install ${packageOf(name)}@latest`,
    );
  return model as unknown as SdkModels[Kind];
}

/** null where the provider says that it has none such. */
function made(method: (id: string) => unknown, provider: unknown, id: string): unknown {
  try {
    return method.call(provider, id);
  } catch (error) {
    if (error instanceof Error && error.name === 'AI_NoSuchModelError') return null;
    throw error;
  }
}
