/** A value that fits a JSON Schema, filled from a text where the text has something that fits. */
import type { JsonObject } from '../../contract/chat.ts';

const maxDepth = 12;

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Takes numbers and quoted words from the text in their order. */
export class SchemaFiller {
  private readonly text: string;
  private readonly numbers: number[];
  private readonly quoted: string[];
  private readonly root: JsonObject;

  constructor(schema: JsonObject, text: string) {
    this.root = schema;
    this.text = text.slice(0, 4000);
    this.numbers = (this.text.match(/-?\d+(?:\.\d+)?/g) ?? []).map(Number);
    this.quoted = [...this.text.matchAll(/["“']([^"”']{1,200})["”']/g)].map((match) => match[1] ?? '');
  }

  value(): unknown {
    return this.fill(this.root, '', 0);
  }

  private fill(given: unknown, name: string, depth: number): unknown {
    const schema = isObject(given) ? this.resolve(given) : {};
    if (depth > maxDepth) return null;
    if ('const' in schema) return schema['const'];
    if (Array.isArray(schema['enum'])) return this.choose(schema['enum']);
    const options = schema['anyOf'] ?? schema['oneOf'];
    if (Array.isArray(options)) return this.fill(options[0], name, depth + 1);
    const types: unknown[] = Array.isArray(schema['type']) ? schema['type'] : [schema['type']];
    const type = types.find((each) => each !== 'null') ?? 'null';
    switch (type) {
      case 'object':
        return this.object(schema, depth);
      case 'array':
        return Array.from({ length: Math.min(numberOf(schema['minItems'], 1), 16) }, () =>
          this.fill(schema['items'], name, depth + 1),
        );
      case 'string':
        return this.string(schema, name);
      case 'integer':
      case 'number':
        return this.number(schema, type === 'integer');
      case 'boolean':
        return !/\b(?:no|not|never|false)\b/i.test(this.text);
      default:
        return 'properties' in schema ? this.object(schema, depth) : null;
    }
  }

  private object(schema: JsonObject, depth: number): JsonObject {
    const properties = isObject(schema['properties']) ? schema['properties'] : {};
    return Object.fromEntries(
      Object.entries(properties).map(([name, each]) => [name, this.fill(each, name, depth + 1)]),
    );
  }

  private string(schema: JsonObject, name: string): string {
    const format = schema['format'];
    if (format === 'date') return '2026-01-01';
    if (format === 'date-time') return '2026-01-01T00:00:00Z';
    if (format === 'email') return 'sandbox@example.com';
    if (format === 'uuid') return '00000000-0000-4000-8000-000000000000';
    if (format === 'uri') return 'https://example.com/';
    const found = this.quoted.shift() ?? this.place() ?? (name === '' ? 'sandbox' : `sandbox ${name}`);
    return found
      .slice(0, numberOf(schema['maxLength'], 1000))
      .padEnd(Math.min(numberOf(schema['minLength'], 0), 1000), '.');
  }

  /** The name in «weather in Paris», «tell me about Ada Lovelace». */
  private place(): string | undefined {
    return /\b(?:in|for|about|of|at|to|from)\s+((?:\p{Lu}[\p{L}'-]*\s?){1,4})/u.exec(this.text)?.[1]?.trim();
  }

  private number(schema: JsonObject, isWhole: boolean): number {
    const low = numberOf(schema['minimum'], Number.NEGATIVE_INFINITY);
    const high = numberOf(schema['maximum'], Number.POSITIVE_INFINITY);
    const found = Math.min(Math.max(this.numbers.shift() ?? 1, low), high);
    return isWhole ? Math.round(found) : found;
  }

  private choose(values: readonly unknown[]): unknown {
    const text = this.text.toLowerCase();
    return (
      values.find(
        (value) => typeof value === 'string' && value !== '' && text.includes(value.toLowerCase()),
      ) ?? values[0]
    );
  }

  private resolve(schema: JsonObject): JsonObject {
    const ref = schema['$ref'];
    if (typeof ref !== 'string' || !ref.startsWith('#')) return schema;
    let at: unknown = this.root;
    for (const step of ref.slice(1).split('/').filter(Boolean)) at = isObject(at) ? at[step] : undefined;
    return isObject(at) ? at : schema;
  }
}

function numberOf(value: unknown, fallback: number): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : fallback;
}
