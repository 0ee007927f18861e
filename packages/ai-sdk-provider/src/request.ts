/** One call to the gateway that is no chat: sent, its errors made the AI SDK's, the cost read from its answer. */
import type {
  JSONObject,
  SharedV4Headers,
  SharedV4ProviderMetadata,
  SharedV4ProviderOptions,
} from '@ai-sdk/provider';
import {
  combineHeaders,
  createBinaryResponseHandler,
  createJsonErrorResponseHandler,
  createJsonResponseHandler,
  getFromApi,
  isRecord,
  postFormDataToApi,
  postJsonToApi,
} from '@ai-sdk/provider-utils';
import { z, type ZodType } from 'zod/v4';
import type { Config, IndoxHubMetadata } from './settings.ts';

/** The bodies of `/v1`, and of `/api/v1`. */
const errorBody = z.union([
  z.looseObject({ error: z.looseObject({ message: z.string(), code: z.string().nullish() }) }),
  z.looseObject({ error: z.string(), message: z.string() }),
]);
type ErrorBody = z.infer<typeof errorBody>;

/** Codes whose status is usually worth a retry, though these never are. */
const final = new Set([
  'idempotency_mismatch',
  'conflict',
  'internal',
  'upstream_auth',
  'upstream_redirect',
  'outcome_unknown',
  'feature_unavailable',
]);

/** How the AI SDK reads the gateway's errors: retried is what the gateway says may succeed. */
export const errorStructure = {
  errorSchema: errorBody,
  errorToMessage: (body: ErrorBody): string =>
    typeof body.error === 'string' ? String(body['message']) : body.error.message,
  isRetryable({ status, headers }: Response, body?: ErrorBody): boolean {
    const told = headers.get('x-should-retry');
    if (told === 'true' || told === 'false') return told === 'true';
    const code = typeof body?.error === 'string' ? body.error : body?.error.code;
    return !final.has(code ?? '') && (status === 408 || status === 409 || status === 429 || status >= 500);
  },
};

const failedResponseHandler = createJsonErrorResponseHandler(errorStructure);

export function metadataOf(told: unknown, headers: SharedV4Headers | undefined): IndoxHubMetadata {
  const usage = isRecord(told) ? (told as JSONObject) : {};
  const { cost, estimated } = usage;
  const requestId = headers?.['x-request-id'];
  return {
    cost: typeof cost === 'number' ? cost : null,
    ...(requestId === undefined ? {} : { requestId }),
    ...(told === usage ? { usage } : {}),
    ...(estimated === true ? { estimated } : {}),
  };
}

interface CallOptions {
  readonly headers?: Record<string, string | undefined>;
  readonly abortSignal?: AbortSignal;
  readonly providerOptions?: SharedV4ProviderOptions;
}

interface Sent<T> {
  readonly value: T;
  readonly metadata: IndoxHubMetadata;
  readonly providerMetadata: SharedV4ProviderMetadata;
  readonly response: {
    readonly timestamp: Date;
    readonly modelId: string;
    readonly headers: SharedV4Headers;
    readonly body: unknown;
  };
}

const aborting = ({ fetch }: Config, { abortSignal }: CallOptions) => ({
  ...(abortSignal === undefined ? {} : { abortSignal }),
  ...(fetch === undefined ? {} : { fetch }),
});

/** A form's value: text, or a file under its name. */
export type FormFile = readonly [file: Blob, name: string];

function formOf(fields: Readonly<Record<string, unknown>>): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || value === null) continue;
    for (const each of name.endsWith('[]') ? (value as unknown[]) : [value]) {
      if (Array.isArray(each) && each[0] instanceof Blob) form.append(name, each[0], String(each[1]));
      else form.append(name, typeof each === 'string' ? each : JSON.stringify(each));
    }
  }
  return form;
}

/** What every request needs, whichever way it is sent. */
const requestOf = async <T>(config: Config, path: string, schema: ZodType<T>, options: CallOptions) => ({
  url: config.url({ path }),
  headers: combineHeaders(await config.headers(), options.headers),
  failedResponseHandler,
  successfulResponseHandler: createJsonResponseHandler(schema),
  ...aborting(config, options),
});

/** Sends `fields`, with the members of `extraBody` and `providerOptions.indoxhub` over them. */
export async function post<T>(
  config: Config,
  call: {
    readonly path: string;
    readonly modelId: string;
    readonly fields: Readonly<Record<string, unknown>>;
    readonly isForm?: boolean;
    readonly schema: ZodType<T>;
  },
  options: CallOptions,
): Promise<Sent<T>> {
  const { modelId, schema } = call;
  const body = {
    model: modelId,
    ...call.fields,
    ...config.extraBody,
    ...options.providerOptions?.['indoxhub'],
  };
  const request = await requestOf(config, call.path, schema, options);
  const timestamp = new Date();
  const {
    value,
    rawValue,
    responseHeaders = {},
  } = await (call.isForm === true
    ? postFormDataToApi({ ...request, formData: formOf(body) })
    : postJsonToApi({ ...request, body }));
  const metadata = metadataOf((rawValue as { usage?: unknown } | null)?.usage, responseHeaders);
  return {
    value,
    metadata,
    providerMetadata: { indoxhub: metadata },
    response: { timestamp, modelId, headers: responseHeaders, body: rawValue },
  };
}

export async function get<T>(
  config: Config,
  path: string,
  schema: ZodType<T>,
  options: CallOptions,
): Promise<{ readonly value: T; readonly headers: SharedV4Headers }> {
  const request = await requestOf(config, path, schema, options);
  const { value, responseHeaders = {} } = await getFromApi({ ...request, validateUrl: false });
  return { value, headers: responseHeaders };
}

/** What a link of the gateway holds, opened where the gateway is reached, whatever the address of its links. */
export async function open(config: Config, link: string, options: CallOptions): Promise<Uint8Array> {
  const { pathname, search } = new URL(link);
  const { value } = await getFromApi({
    url: config.url({ path: pathname + search }),
    validateUrl: false,
    successfulResponseHandler: createBinaryResponseHandler(),
    failedResponseHandler,
    ...aborting(config, options),
  });
  return value;
}
