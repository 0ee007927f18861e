/** A file read a window at a time, and no more often than a file of its size needs. */
import { open, type FileHandle } from 'node:fs/promises';

const windowBytes = 256 * 1024;

export class FileWindow {
  readonly size: number;
  private readonly file: FileHandle;
  private readonly buffer = Buffer.alloc(windowBytes);
  private start = 0;
  private end = 0;
  private loadsLeft: number;

  private constructor(file: FileHandle, size: number) {
    this.file = file;
    this.size = size;
    // A file can be made to be read back and forth; twice through, and some jumps, is enough for any honest one.
    this.loadsLeft = 200 + Math.ceil((2 * size) / windowBytes);
  }

  /** Closed when `use` is done. */
  static async read<T>(path: string, use: (file: FileWindow) => Promise<T>): Promise<T> {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      return await use(new FileWindow(file, size));
    } finally {
      await file.close();
    }
  }

  /** `length` bytes from there, or what is left of the file, can be looked at. */
  holds(at: number, length: number): boolean {
    return at >= this.start && Math.min(at + length, this.size) <= this.end;
  }

  /** Afterwards it holds them; at most a window. Throws where a file is read too often. */
  async load(at: number, length: number): Promise<void> {
    if (this.holds(at, length)) return;
    if (this.loadsLeft-- <= 0) throw new RangeError('the file is read too often');
    const { bytesRead } = await this.file.read(this.buffer, 0, windowBytes, at);
    this.start = at;
    this.end = at + bytesRead;
  }

  /** Of what is loaded. */
  bytes(at: number, length: number): Buffer {
    return this.buffer.subarray(at - this.start, Math.min(at + length, this.end) - this.start);
  }

  /** The next place of that byte in what is loaded, else the end of it. */
  find(byte: number, from: number): number {
    const found = this.bytes(from, windowBytes).indexOf(byte);
    return found < 0 ? Math.max(this.end, from) : from + found;
  }

  /** A copy of what is between, whatever its length. */
  async slice(from: number, to: number): Promise<Uint8Array> {
    const length = to - from;
    if (length > windowBytes) {
      const whole = Buffer.alloc(length);
      const { bytesRead } = await this.file.read(whole, 0, length, from);
      return whole.subarray(0, bytesRead);
    }
    await this.load(from, length);
    return new Uint8Array(this.bytes(from, length));
  }
}
