/**
 * The recognizer was compiled when turning a float too large for an integer gave some integer. WebAssembly made it a
 * trap, which the scoring of sound runs into at once. So the trapping conversions (opcodes a8–ab, ae–b1) are replaced
 * by the saturating ones (fc 00–07). Each is a byte longer: lengths of functions and section are written anew.
 */

const codeSection = 10;

/** For a module of WebAssembly's first version, which this compiler's are. Throws for an opcode of a later one. */
export function saturateConversions(module: Uint8Array): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [module.subarray(0, 8)];
  let at = 8;
  while (at < module.length) {
    const id = module[at];
    const size = unsigned(module, at + 1);
    const end = size.next + size.value;
    if (id !== codeSection) parts.push(module.subarray(at, end));
    else {
      const body = codeOf(module, size.next);
      parts.push(Uint8Array.of(codeSection), encoded(body.length), body);
    }
    at = end;
  }
  return new Uint8Array(Buffer.concat(parts));
}

function codeOf(module: Uint8Array, start: number): Uint8Array {
  const count = unsigned(module, start);
  const parts: Uint8Array[] = [encoded(count.value)];
  let at = count.next;
  for (let index = 0; index < count.value; index++) {
    const size = unsigned(module, at);
    at = size.next + size.value;
    const body = functionBody(module.subarray(size.next, at));
    parts.push(encoded(body.length), body);
  }
  return Buffer.concat(parts);
}

function functionBody(body: Uint8Array): Uint8Array {
  const groups = unsigned(body, 0);
  let at = groups.next;
  for (let index = 0; index < groups.value; index++) at = unsigned(body, at).next + 1;
  const result: number[] = [...body.subarray(0, at)];
  while (at < body.length) {
    const opcode = body[at] ?? 0;
    const end = instructionEnd(body, at);
    if (opcode >= 0xa8 && opcode <= 0xab) result.push(0xfc, opcode - 0xa8);
    else if (opcode >= 0xae && opcode <= 0xb1) result.push(0xfc, opcode - 0xae + 4);
    else for (let index = at; index < end; index++) result.push(body[index] ?? 0);
    at = end;
  }
  return Uint8Array.from(result);
}

/** Where the instruction at `at` ends: most are a byte alone, the others have operands of variable length. */
function instructionEnd(body: Uint8Array, at: number): number {
  const opcode = body[at] ?? 0;
  const operands = at + 1;
  // block, loop, if: a type of one byte. memory.size, memory.grow: a zero.
  if ((opcode >= 0x02 && opcode <= 0x04) || opcode === 0x3f || opcode === 0x40) return operands + 1;
  // br, br_if, call, local and global access: an index.
  if (opcode === 0x0c || opcode === 0x0d || opcode === 0x10 || (opcode >= 0x20 && opcode <= 0x24))
    return skip(body, operands, 1);
  // br_table: as many targets as it says, and the default.
  if (opcode === 0x0e) {
    const targets = unsigned(body, operands);
    return skip(body, targets.next, targets.value + 1);
  }
  // call_indirect: type and table. Loads and stores: alignment and offset.
  if (opcode === 0x11 || (opcode >= 0x28 && opcode <= 0x3e)) return skip(body, operands, 2);
  // Constants: i32 and i64 of variable length, f32, f64.
  if (opcode === 0x41 || opcode === 0x42) return skip(body, operands, 1);
  if (opcode === 0x43) return operands + 4;
  if (opcode === 0x44) return operands + 8;
  if (opcode > 0xbf) throw new Error(`unexpected opcode ${opcode.toString(16)}`);
  return operands;
}

/** Past some numbers of variable length: each ends with the first byte below 128. */
function skip(bytes: Uint8Array, at: number, numbers: number): number {
  let place = at;
  for (let left = numbers; left > 0; left--) {
    while ((bytes[place] ?? 0) >= 128) place++;
    place++;
  }
  return place;
}

function unsigned(bytes: Uint8Array, at: number): { value: number; next: number } {
  const next = skip(bytes, at, 1);
  let value = 0;
  for (let index = next - 1; index >= at; index--) value = value * 128 + ((bytes[index] ?? 0) & 127);
  return { value, next };
}

function encoded(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest & 127) | 128);
    rest = Math.floor(rest / 128);
  }
  return Uint8Array.from([...bytes, rest]);
}
