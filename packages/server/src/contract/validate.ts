/** From a schema's complaint to a 400 that names the field. */
import type { ZodError, ZodType } from 'zod';
import { compile } from './accepts.ts';
import { badField, type GatewayError } from './errors.ts';

/** `messages[0].role` */
export function fieldName(path: readonly PropertyKey[]): string {
  let name = '';
  for (const step of path)
    name += typeof step === 'number' ? `[${step}]` : name === '' ? String(step) : `.${String(step)}`;
  return name;
}

type Issue = ZodError['issues'][number];

/** Of a choice that fits nowhere, the complaint of the branch that got furthest; it names the member at fault. */
function deepest(issue: Issue): { issue: Issue; path: readonly PropertyKey[] } {
  if (issue.code !== 'invalid_union') return { issue, path: issue.path };
  let best: { issue: Issue; path: readonly PropertyKey[] } = { issue, path: issue.path };
  for (const [first] of issue.errors) {
    if (first === undefined) continue;
    const branch = deepest(first);
    if (branch.path.length > best.path.length - issue.path.length)
      best = { issue: branch.issue, path: [...issue.path, ...branch.path] };
  }
  return best;
}

/** The first thing the schema found wrong, as the error the caller gets. */
export function firstIssue(error: ZodError): GatewayError {
  const found = error.issues[0];
  if (found === undefined) return badField('body', 'The request is not valid.');
  const { issue, path: at } = deepest(found);
  let path = at;
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

/** What is wrong with a value, null for nothing: the schema is asked only about what its quick check is not sure of. */
export type Validate = (value: unknown) => GatewayError | null;

/** `schema` must not change what it reads: the value is used as it came. */
export function validator(schema: ZodType): Validate {
  const accepts = compile(schema);
  return (value) => {
    if (accepts(value)) return null;
    const { error } = schema.safeParse(value);
    return error === undefined ? null : firstIssue(error);
  };
}
