/**
 * As much of WASI as flite calls: arguments in, one written file out, both in memory. So it needs neither node:wasi,
 * which is experimental, nor a temporary file, and can reach nothing.
 */

const success = 0;
const badDescriptor = 8;
const invalid = 28;

/** Preopened directory, then the one file the program opens. */
const root = 3;
const file = 4;

class Exit extends Error {}

/** Bytes that grow, with a place to write at. */
class MemoryFile {
  private bytes = new Uint8Array(1 << 16);
  private size = 0;
  private place = 0;
  private readonly limit: number;

  constructor(limit: number) {
    this.limit = limit;
  }

  write(chunk: Uint8Array): void {
    const end = this.place + chunk.length;
    if (end > this.limit) throw new RangeError(`the output is longer than ${this.limit} bytes`);
    if (end > this.bytes.length) {
      const larger = new Uint8Array(Math.min(this.limit, Math.max(end, this.bytes.length * 2)));
      larger.set(this.bytes);
      this.bytes = larger;
    }
    this.bytes.set(chunk, this.place);
    this.place = end;
    this.size = Math.max(this.size, end);
  }

  seek(offset: number, whence: number): number {
    const base = [0, this.place, this.size][whence] ?? 0;
    this.place = Math.max(0, base + offset);
    return this.place;
  }

  contents(): Uint8Array {
    return this.bytes.slice(0, this.size);
  }
}

/** Runs a WASI program to its end; answers what it wrote into its file. Throws where it traps or writes too much. */
// One object of calls that share the memory: apart they would be harder to follow.
// oxlint-disable-next-line max-lines-per-function
export function runProgram(
  module: WebAssembly.Module,
  args: readonly string[],
  outputLimit: number,
): Uint8Array {
  const output = new MemoryFile(outputLimit);
  const encoded = args.map((each) => Buffer.from(`${each}\0`, 'utf8'));
  // Looked at anew each time: memory that grows gets a new buffer.
  const view = (): DataView => new DataView(instance.exports.memory.buffer);
  const bytes = (): Uint8Array => new Uint8Array(instance.exports.memory.buffer);

  const calls = {
    args_sizes_get(count: number, size: number): number {
      view().setUint32(count, encoded.length, true);
      view().setUint32(size, Buffer.concat(encoded).length, true);
      return success;
    },
    args_get(pointers: number, start: number): number {
      let at = start;
      for (const [index, arg] of encoded.entries()) {
        view().setUint32(pointers + index * 4, at, true);
        bytes().set(arg, at);
        at += arg.length;
      }
      return success;
    },
    clock_time_get(_clock: number, _precision: bigint, result: number): number {
      // A fixed time: the same text gives the same bytes.
      view().setBigUint64(result, 0n, true);
      return success;
    },
    fd_prestat_get(descriptor: number, result: number): number {
      if (descriptor !== root) return badDescriptor;
      view().setUint32(result, 0, true);
      view().setUint32(result + 4, 1, true);
      return success;
    },
    fd_prestat_dir_name(_descriptor: number, path: number): number {
      bytes()[path] = 0x2f;
      return success;
    },
    fd_fdstat_get(descriptor: number, result: number): number {
      bytes().fill(0, result, result + 24);
      // A character device, a directory, or a regular file; with every right.
      view().setUint8(result, descriptor < root ? 2 : descriptor === root ? 3 : 4);
      view().setBigUint64(result + 8, (1n << 64n) - 1n, true);
      view().setBigUint64(result + 16, (1n << 64n) - 1n, true);
      return success;
    },
    fd_fdstat_set_flags: (): number => success,
    path_open(...call: unknown[]): number {
      view().setUint32(Number(call[8]), file, true);
      return success;
    },
    fd_write(descriptor: number, vectors: number, count: number, result: number): number {
      let written = 0;
      for (let index = 0; index < count; index++) {
        const start = view().getUint32(vectors + index * 8, true);
        const length = view().getUint32(vectors + index * 8 + 4, true);
        // What it prints is of no use to anybody.
        if (descriptor === file) output.write(bytes().subarray(start, start + length));
        written += length;
      }
      view().setUint32(result, written, true);
      return success;
    },
    fd_seek(descriptor: number, offset: bigint, whence: number, result: number): number {
      if (descriptor !== file) return invalid;
      view().setBigUint64(result, BigInt(output.seek(Number(offset), whence)), true);
      return success;
    },
    fd_read: (): number => badDescriptor,
    fd_close: (): number => success,
    proc_exit(code: number): never {
      throw new Exit(String(code));
    },
  };

  const instance = new WebAssembly.Instance(module, { wasi_snapshot_preview1: calls }) as {
    exports: { memory: WebAssembly.Memory; _start: () => void };
  };
  try {
    instance.exports._start();
  } catch (error) {
    // flite ends with the number of seconds or 0; only its file tells whether it spoke.
    if (!(error instanceof Exit)) throw error;
  }
  return output.contents();
}
