/** Keys made at this start; null: there were such keys before. */
export interface FreshKeys {
  readonly apiKey: string | null;
  readonly adminKey: string | null;
}

const isNothingNew = ({ apiKey, adminKey }: FreshKeys): boolean => apiKey === null && adminKey === null;

/**
 * Keys that nobody will see again; '' when there are none. Of replicas that start at once on an empty database, one makes
 * the API key and perhaps another the admin key.
 */
export function shownOnce(keys: FreshKeys): string {
  if (isNothingNew(keys)) return '';
  const { apiKey, adminKey } = keys;
  const lines = [
    ...(apiKey === null ? [] : [`  API key    ${apiKey}`]),
    ...(adminKey === null ? [] : [`  Admin key  ${adminKey}`]),
  ];
  return `These keys are shown once:\n\n${lines.join('\n')}\n`;
}

/** What a start says, the first one with its keys. */
export function greeting(url: string, keys: FreshKeys, chatModel: string): string {
  const { apiKey } = keys;
  if (isNothingNew(keys)) return `IndoxHub answers at ${url}\n`;
  if (apiKey === null) return `IndoxHub answers at ${url}\n\n${shownOnce(keys)}\n`;
  return `
IndoxHub is ready. ${shownOnce(keys)}
Try it:

  curl ${url}/v1/chat/completions \\
    -H "Authorization: Bearer ${apiKey}" -H "Content-Type: application/json" \\
    -d '{"model": "${chatModel}", "messages": [{"role": "user", "content": "Hello"}]}'

API reference: ${url}/docs

`;
}
