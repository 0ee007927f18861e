/** What the AI SDK throws, in the words of the gateway. Its own sentences may quote anything: only the vendor's are kept. */
import { GatewayError } from '../../contract/errors.ts';
import { isObject } from '../exact-json.ts';

/** An answer of the vendor's that says no. */
export interface Refused {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** As the AI SDK read it from the vendor's body. */
  readonly message: string;
}

/** The gateway's own error that the transport threw, through whatever it was wrapped in. */
function ownError(error: unknown): GatewayError | null {
  for (let each = error, depth = 0; depth < 5; depth++) {
    if (each instanceof GatewayError) return each;
    if (!(each instanceof Error)) return null;
    each = each.cause;
  }
  return null;
}

const codes = {
  AI_UnsupportedFunctionalityError: 'bad_request',
  AI_InvalidPromptError: 'bad_request',
  AI_InvalidArgumentError: 'bad_request',
  AI_TooManyEmbeddingValuesForCallError: 'bad_request',
  AI_LoadAPIKeyError: 'provider_not_configured',
  AI_LoadSettingError: 'provider_not_configured',
  AI_NoSuchModelError: 'model_not_found',
} as const;

/** A refusal of the vendor's, else what to throw. */
export function failureOf(error: unknown): Refused | GatewayError {
  const own = ownError(error);
  if (own !== null) return own;
  if (!(error instanceof Error)) return new GatewayError('upstream_error', undefined, { cause: error });
  const { statusCode, responseHeaders } = error as { statusCode?: unknown; responseHeaders?: unknown };
  if (typeof statusCode === 'number' && (statusCode < 200 || statusCode > 299)) {
    const headers = isObject(responseHeaders) ? (responseHeaders as Record<string, string>) : {};
    return { status: statusCode, headers, message: error.message };
  }
  const code = Object.hasOwn(codes, error.name) ? codes[error.name as keyof typeof codes] : null;
  if (code !== null) return new GatewayError(code, error.message, { cause: error });
  return new GatewayError('upstream_malformed', undefined, { cause: error });
}

/** The vendor's failure as OpenAI writes one. */
export const errorBody = ({ status, message }: Pick<Refused, 'status' | 'message'>): string =>
  JSON.stringify({ error: { message, type: 'upstream_error', code: null, param: null, status } });
