/** A body that does not end, and how much of it was taken. */
import { connect } from 'node:net';

export interface Poured {
  readonly status: number;
  readonly text: string;
  /** Bytes handed to the socket when the answer came. */
  readonly sent: number;
  /** The server closed within three seconds of its answer, although more was sent. */
  readonly closed: boolean;
}

/** Sends white space until `total` bytes went out. */
export function pour(
  url: string,
  path: string,
  key: string,
  total: number,
  chunked: boolean,
): Promise<Poured> {
  const { hostname, port } = new URL(url);
  const framing = chunked ? 'transfer-encoding: chunked' : `content-length: ${total}`;
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    let sent = 0;
    let text = '';
    let seen: number | null = null;
    const answer = (closed: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0), text, sent: seen ?? sent, closed });
    };
    let timer = setTimeout(() => answer(false), 10_000);
    socket.on('error', () => {});
    socket.on('close', () => answer(true));
    socket.on('data', (part: Buffer) => {
      text += part.toString('latin1');
      if (seen !== null) return;
      seen = sent;
      clearTimeout(timer);
      timer = setTimeout(() => answer(false), sent >= total ? 200 : 3_000);
    });
    socket.write(
      `POST ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\n${framing}\r\n\r\n`,
    );
    const write = (): void => {
      while (sent < total && !socket.destroyed) {
        const part = ' '.repeat(Math.min(65_536, total - sent));
        sent += part.length;
        const more = socket.write(chunked ? `${part.length.toString(16)}\r\n${part}\r\n` : part);
        if (!more) return void socket.once('drain', write);
      }
      if (chunked) socket.write('0\r\n\r\n');
    };
    write();
  });
}
