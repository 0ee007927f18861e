/** Some vendors answer a streamed call with status 200 and no stream: an HTML page, or one JSON object with an error. */
import type { UpstreamFailure } from '../provider.ts';
import { failureIn } from './errors.ts';
import { malformed, parseObject } from './shape.ts';

const maxBytes = 64 * 1024;
const openBrace = 123;
const lessThan = 60;
const openBracket = 91;

/** Looks at a stream's first byte, and holds everything if it is the beginning of a JSON object. */
export class NotAStream {
  private mode: 'unknown' | 'stream' | 'object' = 'unknown';
  private held: Buffer[] = [];
  private size = 0;

  /** True when the bytes are none of a stream's. Throws `upstream_malformed` for HTML, arrays and endless objects. */
  holds(chunk: Buffer): boolean {
    if (this.mode === 'stream') return false;
    if (this.mode === 'unknown') {
      const first = chunk.find((byte) => byte > 32);
      if (first === undefined) return false;
      if (first === lessThan || first === openBracket) throw malformed('not an event stream');
      this.mode = first === openBrace ? 'object' : 'stream';
      if (this.mode === 'stream') return false;
    }
    this.size += chunk.length;
    if (this.size > maxBytes) throw malformed('not an event stream');
    this.held.push(Buffer.from(chunk));
    return true;
  }

  /** The failure the object reports. Throws `upstream_malformed` when it reports none. */
  end(): UpstreamFailure | null {
    if (this.mode !== 'object') return null;
    const failure = failureIn(parseObject(Buffer.concat(this.held).toString('utf8')), 502);
    if (failure === null) throw malformed('not an event stream');
    return failure;
  }
}
