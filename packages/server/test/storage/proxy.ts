/** A TCP proxy that misbehaves as networks and databases do. */
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';

export interface Proxy {
  readonly url: string;
  /** down: refuses and cuts. hung: accepts and says nothing more. lose: cuts at the server's next answer, once. */
  mode: 'up' | 'down' | 'hung' | 'lose';
  /** Answers that `lose` lets through first. */
  spare: number;
  /** Cuts every connection there is. */
  cut(): void;
  close(): Promise<void>;
}

export async function startProxy(target: string): Promise<Proxy> {
  const to = new URL(target);
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    sockets.add(client);
    client.once('close', () => sockets.delete(client));
    client.on('error', () => {});
    if (proxy.mode === 'down') {
      client.destroy();
      return;
    }
    const upstream = connect(Number(to.port || 5432), to.hostname);
    upstream.on('error', () => client.destroy());
    upstream.once('close', () => client.destroy());
    client.once('close', () => upstream.destroy());
    client.on('data', (chunk) => {
      if (proxy.mode !== 'hung') upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (proxy.mode === 'lose' && proxy.spare-- <= 0) {
        proxy.mode = 'up';
        proxy.spare = 0;
        client.destroy();
      } else if (proxy.mode !== 'hung') client.write(chunk);
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const url = new URL(target);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const proxy: Proxy = {
    url: url.href,
    mode: 'up',
    spare: 0,
    cut,
    async close() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}
