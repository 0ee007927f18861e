/** The caller's connection for core, on the raw outgoing message: one write per read, and a true word on who left. */
import type { ServerResponse } from 'node:http';
import type { Client } from '../core/call-types.ts';

const ignore = (): void => {};

export class RawClient implements Client {
  private readonly outgoing: ServerResponse;
  private readonly headers: Readonly<Record<string, string>>;
  private readonly goneCallbacks: (() => void)[] = [];
  gone = false;

  /** `headers`: what every answer of this request carries. */
  constructor(outgoing: ServerResponse, headers: Readonly<Record<string, string>>) {
    this.outgoing = outgoing;
    this.headers = headers;
    // On a POST whose body was read, the request's own 'close' fires at once; only this one tells.
    outgoing.on('close', () => {
      if (outgoing.writableFinished) return;
      this.gone = true;
      for (const callback of this.goneCallbacks) callback();
    });
    outgoing.on('error', ignore);
  }

  get opened(): boolean {
    return this.outgoing.headersSent;
  }

  onGone(callback: () => void): void {
    if (this.gone) callback();
    else this.goneCallbacks.push(callback);
  }

  open(headers: Readonly<Record<string, string>>): void {
    if (this.outgoing.headersSent || this.gone) return;
    this.outgoing.writeHead(200, {
      ...this.headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      'x-accel-buffering': 'no',
      ...headers,
    });
    this.outgoing.socket?.setNoDelay(true);
  }

  write(bytes: string | Buffer): boolean {
    return this.gone || this.outgoing.write(bytes);
  }

  onDrain(callback: () => void): void {
    this.outgoing.on('drain', callback);
  }

  end(bytes: string | Buffer): void {
    if (!this.gone) this.outgoing.end(bytes);
  }

  cut(): void {
    this.outgoing.destroy();
  }
}
