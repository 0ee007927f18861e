/** A resource that can be called itself, as the Python client's methods are: `client.images(…)` beside `client.images.generate(…)`. */
export function callable<Call extends (...given: never[]) => unknown, Resource extends object>(
  call: Call,
  resource: Resource,
): Call & Resource {
  const members = { ...resource } as Record<string, unknown>;
  for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(resource))) {
    const member = (resource as Record<string, unknown>)[name];
    if (name !== 'constructor' && typeof member === 'function') members[name] = member.bind(resource);
  }
  for (const [name, value] of Object.entries(members))
    Object.defineProperty(call, name, { value, enumerable: true });
  return call as Call & Resource;
}
