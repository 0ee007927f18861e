/** For SDKs that know no other host than the vendor's. */
export const redirected =
  (origin: string): typeof fetch =>
  (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    return fetch(`${origin}${url.pathname}${url.search}`, init);
  };
