/** From a schema's complaint to a 400 that names the field. */
import type { ZodError } from 'zod';
import { badField, type GatewayError } from './errors.ts';

/** `messages[0].role` */
export function fieldName(path: readonly PropertyKey[]): string {
  let name = '';
  for (const step of path)
    name += typeof step === 'number' ? `[${step}]` : name === '' ? String(step) : `.${String(step)}`;
  return name;
}

/** The first thing the schema found wrong, as the error the caller gets. */
export function firstIssue(error: ZodError): GatewayError {
  const issue = error.issues[0];
  if (issue === undefined) return badField('body', 'The request is not valid.');
  let path = issue.path;
  let sentence = issue.message;
  if (issue.code === 'unrecognized_keys') {
    path = [...path, issue.keys[0] ?? ''];
    sentence = 'is not a known field';
  } else if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined')) {
    sentence = 'is required';
  }
  const param = fieldName(path) || 'body';
  return badField(param, `Invalid value for '${param}': ${sentence}`);
}
