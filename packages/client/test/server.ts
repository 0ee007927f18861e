/** A client of the real gateway, and one of a server that does what a test tells it. */
import { afterAll, beforeAll } from 'vitest';
import { startGateway, type GatewayOptions, type TestGateway } from '../../server/test/gateway.ts';
import { startUpstream, type Script, type Upstream } from '../../server/test/upstream.ts';
import { IndoxHub, type ClientOptions } from '../src/index.ts';

export { answering, type Script } from '../../server/test/upstream.ts';

interface WithGateway {
  readonly gateway: TestGateway;
  readonly client: IndoxHub;
}

/** A gateway for all tests of a file; the books must balance at its end. */
export function useGateway(options: GatewayOptions | (() => Promise<GatewayOptions>) = {}): WithGateway {
  let gateway: TestGateway | undefined;
  let client: IndoxHub | undefined;
  beforeAll(async () => {
    gateway = await startGateway(typeof options === 'function' ? await options() : options);
    client = new IndoxHub({ apiKey: gateway.apiKey, baseURL: gateway.url });
  });
  afterAll(async () => {
    await gateway?.verify();
    await gateway?.close();
  });
  return {
    get gateway() {
      if (gateway === undefined) throw new Error('not started');
      return gateway;
    },
    get client() {
      if (client === undefined) throw new Error('not started');
      return client;
    },
  };
}

/** A scripted server, closed after the callback. */
export async function withServer(
  script: Script,
  use: (server: Upstream, client: (options?: ClientOptions) => IndoxHub) => Promise<void>,
): Promise<void> {
  const server = await startUpstream(script);
  const baseURL = server.url.replace('/v1', '');
  try {
    await use(server, (options) => new IndoxHub({ apiKey: 'indox-secret0123456789', baseURL, ...options }));
  } finally {
    await server.close();
  }
}

/** What a call throws. */
export async function failure<E extends Error>(
  kind: abstract new (...given: never[]) => E,
  call: PromiseLike<unknown>,
): Promise<E> {
  const outcome: unknown = await Promise.resolve(call).then(
    () => 'it did not fail',
    (error: unknown) => error,
  );
  if (outcome instanceof kind) return outcome;
  throw new Error(`expected a ${kind.name}, got ${String(outcome)}`, { cause: outcome });
}

export const question = (content: string): { role: string; content: string }[] => [{ role: 'user', content }];
