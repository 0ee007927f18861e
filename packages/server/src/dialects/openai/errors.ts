/** OpenAI's error body. */
import type { GatewayError } from '../../contract/errors.ts';

export function openaiErrorJson(error: {
  code: string;
  message: string;
  type: string;
  param?: string | null;
}): string {
  const { message, type, param, code } = error;
  return JSON.stringify({ error: { message, type, param: param ?? null, code } });
}

export function encodeOpenaiError(error: GatewayError): string {
  return openaiErrorJson({
    code: error.code,
    message: error.message,
    type: error.row.type,
    param: error.param ?? null,
  });
}
