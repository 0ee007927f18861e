/** Webhooks of video jobs, signed as Standard Webhooks say. */
import type { APIPromise } from '../api-promise.ts';
import { IndoxHubError } from '../errors.ts';
import type { RequestOptions } from '../options.ts';
import type { Requester } from '../request.ts';
import type { VideoJob } from '../types/media.ts';

export interface WebhookEvent {
  type: 'video.completed' | 'video.failed' | 'video.cancelled' | (string & {});
  /** ISO 8601. */
  timestamp: string;
  data: VideoJob;
}

/** The signature is missing, wrong, or too old. */
export class WebhookVerificationError extends IndoxHubError {
  override name: string = 'WebhookVerificationError';
}

export type WebhookHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>;

export interface UnwrapOptions {
  /** Seconds the clocks may differ; without it 300. */
  readonly tolerance?: number;
  /** Milliseconds since 1970, instead of the clock. */
  readonly now?: number;
}

function header(headers: WebhookHeaders, name: string): string {
  const value =
    headers instanceof Headers
      ? headers.get(name)
      : Object.entries(headers).find(([each]) => each.toLowerCase() === name)?.[1];
  if (typeof value !== 'string' || value === '')
    throw new WebhookVerificationError(`The header ${name} is missing`);
  return value;
}

const bytesOf = (base64: string): Uint8Array<ArrayBuffer> => {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return new Uint8Array();
  }
};

/**
 * Checks a webhook and reads it. `body` is the request's text exactly as it came; `secret` is that of
 * `client.webhooks.secret()`.
 *
 * @example
 * const event = await unwrapWebhook(await request.text(), request.headers, process.env.WEBHOOK_SECRET);
 * if (event.type === 'video.completed') console.log(event.data.result?.url);
 */
export async function unwrapWebhook(
  body: string | Uint8Array,
  headers: WebhookHeaders,
  secret: string,
  options: UnwrapOptions = {},
): Promise<WebhookEvent> {
  const text = typeof body === 'string' ? body : new TextDecoder().decode(body);
  const timestamp = header(headers, 'webhook-timestamp');
  const age = Math.abs((options.now ?? Date.now()) / 1000 - Number(timestamp));
  if (!(age <= (options.tolerance ?? 300))) throw new WebhookVerificationError('The webhook is too old');
  const keyBytes = bytesOf(secret.replace(/^whsec_/, ''));
  if (keyBytes.length === 0)
    throw new WebhookVerificationError('The secret is not one of a webhook (whsec_…)');
  const key = await crypto.subtle.importKey('raw', keyBytes, { name: 'HMAC', hash: 'SHA-256' }, false, [
    'verify',
  ]);
  const signed = new TextEncoder().encode(`${header(headers, 'webhook-id')}.${timestamp}.${text}`);
  for (const each of header(headers, 'webhook-signature').split(' ')) {
    const [version, signature = ''] = each.split(',');
    if (version === 'v1' && (await crypto.subtle.verify('HMAC', key, bytesOf(signature), signed)))
      return JSON.parse(text) as WebhookEvent;
  }
  throw new WebhookVerificationError('No signature of the webhook fits');
}

export class Webhooks {
  readonly #requester: Requester;

  constructor(requester: Requester) {
    this.#requester = requester;
  }

  /**
   * The secret that signs the account's webhooks.
   *
   * @example
   * const { secret } = await client.webhooks.secret();
   */
  secret(options?: RequestOptions): APIPromise<{ secret: string }> {
    return this.#requester.send({ method: 'GET', path: '/api/v1/user/webhook-secret' }, options);
  }

  /**
   * Checks a webhook and reads it. Without a secret it asks the gateway for the account's.
   *
   * @example
   * const event = await client.webhooks.unwrap(await request.text(), request.headers);
   */
  async unwrap(
    body: string | Uint8Array,
    headers: WebhookHeaders,
    secret?: string,
    options?: UnwrapOptions,
  ): Promise<WebhookEvent> {
    return unwrapWebhook(body, headers, secret ?? (await this.secret()).secret, options);
  }
}
