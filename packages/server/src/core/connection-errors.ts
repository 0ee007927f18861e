/** What goes wrong on the way to a vendor and back, in fixed sentences, so that no header and no key can reach one. */
import { GatewayError } from '../contract/errors.ts';
import { MalformedResponse } from './http-response.ts';

export const timedOut = (phase: string, ms: number): GatewayError =>
  new GatewayError(
    'upstream_timeout',
    `The provider did not answer in time: no ${phase} within ${ms / 1000} s.`,
    { details: { phase } },
  );

export const notAccepted = (): GatewayError =>
  new GatewayError('upstream_timeout', 'The provider did not accept a connection in time.', {
    details: { phase: 'connect' },
  });

export const closedEarly = (): GatewayError =>
  new GatewayError('upstream_error', 'The provider closed the connection before its answer was complete.', {
    details: { reason: 'connection_reset' },
  });

export const unreachable = (code: string): GatewayError =>
  new GatewayError(
    'upstream_unreachable',
    'The provider could not be reached.',
    code === '' ? {} : { details: { reason: code } },
  );

/** Never the system's own text, which may quote the request. */
export function connectionError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  if (error instanceof MalformedResponse) {
    return new GatewayError(
      'upstream_malformed',
      'The provider sent an answer that is not HTTP as it should be.',
      { details: { reason: error.reason } },
    );
  }
  const { code = '', cause } = error as { code?: string; cause?: unknown };
  if (cause instanceof GatewayError) return cause;
  return code === 'ECONNRESET' || code === 'EPIPE' ? closedEarly() : unreachable(code);
}
