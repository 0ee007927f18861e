/** The environment, where there is one. */
interface Platform {
  readonly process?: { readonly env?: Readonly<Record<string, string | undefined>> };
}

/** The first of these variables that is set and not empty. */
export function variable(...names: readonly string[]): string | undefined {
  try {
    const env = (globalThis as Platform).process?.env;
    for (const name of names) {
      const value = env?.[name]?.trim();
      if (value !== undefined && value !== '') return value;
    }
  } catch {
    // Deno asks before it lets a program read the environment.
  }
  return undefined;
}

/** The gateway's origin, as Settings have it. Throws for what is no address. */
export function cleanBaseURL(given: string): string {
  let url: URL;
  try {
    url = new URL(given);
  } catch {
    throw new TypeError('baseURL must be an address such as http://127.0.0.1:8100');
  }
  if (url.username !== '' || url.password !== '')
    throw new TypeError('baseURL must not hold a user or password: use defaultHeaders');
  if (!/^https?:$/.test(url.protocol)) throw new TypeError('baseURL must begin with http:// or https://');
  return `${url.origin}${url.pathname.replace(/\/+$/, '').replace(/(\/api)?\/v1$/, '')}`;
}
