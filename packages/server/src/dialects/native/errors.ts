/** The native error body: a union that every known client can read. `detail` is always a string. */
import type { GatewayError } from '../../contract/errors.ts';

export function encodeNativeError(error: GatewayError, requestId: string): string {
  const details =
    error.param === undefined && error.details === undefined
      ? null
      : { ...(error.param === undefined ? {} : { param: error.param }), ...error.details };
  return JSON.stringify({
    error: error.code,
    message: error.message,
    status_code: error.status,
    details,
    detail: error.message,
    success: false,
    request_id: requestId,
    data: '',
  });
}
