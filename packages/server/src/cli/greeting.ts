/** What the first start says, once. */
export function greeting(url: string, apiKey: string, admin: string | null, chatModel: string): string {
  return `
IndoxHub is ready. These keys are shown once:

  API key    ${apiKey}
${admin === null ? '' : `  Admin key  ${admin}\n`}
Try it:

  curl ${url}/v1/chat/completions \\
    -H "Authorization: Bearer ${apiKey}" -H "Content-Type: application/json" \\
    -d '{"model": "${chatModel}", "messages": [{"role": "user", "content": "Hello"}]}'

API reference: ${url}/docs

`;
}
