/**
 * HTTP/1.1 to one origin over net and tls: connections kept alive, one call at a time on each. It does what the calls of a
 * gateway need and no more: no redirects, no cookies, no decompression, no pipelining.
 */
import { connect as connectPlain, isIP, type LookupFunction, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import type { UpstreamCall, UpstreamHandler } from '../providers/provider.ts';
import { connectionError } from './connection-errors.ts';
import { Call, Connection, headOf, type ConnectionOwner, type HttpRequest } from './http-connection.ts';

const maxIdle = 256;

/** All connections read into this: what one read holds is looked at before the next begins. */
const readBuffer = Buffer.allocUnsafeSlow(65_536);

export class HttpPool implements ConnectionOwner {
  /** As in the Host header. */
  private readonly host: string;
  private readonly isTls: boolean;
  private readonly options: { host: string; port: number; lookup?: LookupFunction; servername?: string };
  private readonly all = new Set<Connection>();
  /** The one used last is used next, so that the others can go. */
  private idle: Connection[] = [];
  private session: Buffer | undefined;

  /** `lookup`: how names become addresses. */
  constructor(origin: string, lookup?: LookupFunction) {
    const url = new URL(origin);
    this.isTls = url.protocol === 'https:';
    this.host = url.host;
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const port = url.port === '' ? (this.isTls ? 443 : 80) : Number(url.port);
    this.options = {
      host,
      port,
      ...(lookup === undefined ? {} : { lookup }),
      ...(isIP(host) === 0 ? { servername: host } : {}),
    };
  }

  send(request: HttpRequest, handler: UpstreamHandler): UpstreamCall {
    const call = new Call(request, handler);
    try {
      const head = headOf(this.host, request);
      this.take().begin(call, head, request.body);
    } catch (error) {
      queueMicrotask(() => call.fail(connectionError(error)));
    }
    return call;
  }

  keep(connection: Connection): void {
    if (this.idle.length < maxIdle) this.idle.push(connection);
    else connection.close();
  }

  forget(connection: Connection): void {
    this.all.delete(connection);
    const at = this.idle.indexOf(connection);
    if (at !== -1) this.idle.splice(at, 1);
  }

  /** Closes connections that waited for too long. */
  sweep(): void {
    const now = performance.now();
    const stale = this.idle.filter((each) => !each.fresh(now));
    if (stale.length === 0) return;
    this.idle = this.idle.filter((each) => !stale.includes(each));
    for (const connection of stale) connection.close();
  }

  /** Closes everything; calls in flight fail. */
  close(): void {
    for (const connection of this.all) connection.close();
  }

  private take(): Connection {
    const now = performance.now();
    for (let kept = this.idle.pop(); kept !== undefined; kept = this.idle.pop()) {
      if (kept.fresh(now)) return kept;
      kept.close();
    }
    const connection = new Connection(this, this.isTls, (read) => this.connect(read));
    this.all.add(connection);
    return connection;
  }

  private connect(read: (bytes: Buffer) => void): Socket {
    const onread = {
      buffer: readBuffer,
      callback(size: number): boolean {
        read(readBuffer.subarray(0, size));
        return true;
      },
    };
    if (!this.isTls) return connectPlain({ ...this.options, onread });
    const { session } = this;
    const resumed = session === undefined ? {} : { session };
    // `onread` is documented for every socket, and missing in the types of this one.
    const options: ConnectionOptions = { ...this.options, ...resumed, ALPNProtocols: ['http/1.1'] };
    return connectTls(Object.assign(options, { onread })).on('session', (ticket) => {
      this.session = ticket;
    });
  }
}
