/** Bytes to a port and back, without a client that would mend them. */
import { connect } from 'node:net';

export interface RawAnswer {
  /** Everything the server sent, as latin1. */
  readonly text: string;
  /** Status of each answer in it. */
  readonly statuses: number[];
  /** The server closed its side within the wait. */
  readonly closed: boolean;
}

/** Sends the bytes and reads until the server closes or the wait is over. */
export function raw(url: string, bytes: string | Buffer, waitMs = 1_500): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect(Number(port), hostname);
    const done = (closed: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      const text = Buffer.concat(chunks).toString('latin1');
      const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status));
      resolve({ text, statuses, closed });
    };
    const timer = setTimeout(() => done(false), waitMs);
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', () => {});
    socket.on('close', () => done(true));
    socket.on('end', () => done(true));
    socket.write(bytes);
  });
}

/** A request as bytes; the Host header and the content length are added. */
export function request(
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body = '',
): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const length = body === '' ? '' : `content-length: ${Buffer.byteLength(body)}\r\n`;
  return `${method} ${path} HTTP/1.1\r\nhost: gateway\r\n${lines.join('')}${length}\r\n${body}`;
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
