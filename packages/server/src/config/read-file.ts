/** indoxhub.yaml from text to checked values: `${NAME}` filled in, every complaint with its line, no value ever shown. */
import { createRequire } from 'node:module';
import type * as Yaml from 'yaml';
import type { ZodError, ZodType } from 'zod';
import { fieldName } from '../contract/validate.ts';
import { fileSchema, type FileSettings } from './file-schema.ts';
import { didYouMean, SettingsError, type Problem } from './problem.ts';

let loaded: typeof Yaml | null = null;

/** Loaded when there is a file: most gateways have none. */
const yaml = (): typeof Yaml => (loaded ??= createRequire(import.meta.url)('yaml') as typeof Yaml);

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ConfigFile {
  readonly settings: FileSettings;
  /** `indoxhub.yaml:7:3 (providers.openai)`: where the member stands, or the nearest that encloses it. */
  where(path: readonly (string | number)[]): string;
}

/** Reads the text of a file called `name`. Throws SettingsError. */
export function readConfigFile(name: string, text: string, environment: Environment): ConfigFile {
  const lines = new (yaml().LineCounter)();
  const document = yaml().parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
  const place = (offset: number | undefined): string => {
    if (offset === undefined) return name;
    const { line, col } = lines.linePos(offset);
    return `${name}:${line}:${col}`;
  };
  const broken = document.errors[0];
  if (broken !== undefined) {
    throw new SettingsError([{ where: place(broken.pos[0]), sentence: syntaxSentence(broken.code) }]);
  }
  const missing = interpolate(document, environment, place);
  if (missing.length > 0) throw new SettingsError(missing);

  const where = (path: readonly PropertyKey[], key?: string): string => {
    const field = fieldName(key === undefined ? path : [...path, key]);
    return `${place(offsetOf(document, path, key))}${field === '' ? '' : ` (${field})`}`;
  };
  const parsed = fileSchema.safeParse(plainValue(document, name));
  if (!parsed.success) throw new SettingsError(problems(parsed.error, where));
  return { settings: parsed.data, where };
}

/** The parser's own sentences may quote the file, so its codes are given sentences here. */
function syntaxSentence(code: string): string {
  if (code === 'DUPLICATE_KEY') return 'this name is given twice';
  if (code === 'TAB_AS_INDENT') return 'a tab is used to indent; YAML takes spaces only';
  if (code === 'BAD_INDENT') return 'the indentation does not fit the lines before';
  if (code === 'MULTIPLE_DOCS') return 'one file holds one document';
  if (code === 'BLOCK_AS_IMPLICIT_KEY' || code === 'MULTILINE_IMPLICIT_KEY') {
    return 'this is not "name: value"; is a space missing after the colon?';
  }
  return `this is not YAML (${code.toLowerCase().replaceAll('_', ' ')})`;
}

const reference = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{/g;

/** Fills `${NAME}` and `${NAME:-default}` into every string value; `$${` stands for a plain `${`. */
function interpolate(
  document: Yaml.Document,
  environment: Environment,
  place: (offset?: number) => string,
): Problem[] {
  const missing: Problem[] = [];
  const { isPair, isScalar, visit } = yaml();
  visit(document, {
    Scalar(key, node, path) {
      if (key === 'key') return;
      if (typeof node.value === 'number' && node.source !== undefined) {
        // Prices are decimals: the digits as written count, not the float they make.
        const members = path.flatMap((each) => (isPair(each) && isScalar(each.key) ? [each.key.value] : []));
        if (members.includes('prices') || (members.includes('unit_prices') && members.at(-1) === 'price'))
          node.value = node.source;
        return;
      }
      if (typeof node.value !== 'string') return;
      node.value = node.value.replace(reference, (whole: string, name?: string, fallback?: string) => {
        if (whole === '$${') return '${';
        const value = name === undefined ? undefined : environment[name];
        if (value !== undefined && value !== '') return value;
        if (fallback !== undefined) return fallback;
        const sentence =
          name === undefined
            ? 'a reference is written ${NAME}, and $${ where a plain ${ is meant'
            : `\${${name}} is not set in the environment`;
        missing.push({ where: place(node.range?.[0]), sentence });
        return '';
      });
    },
  });
  return missing;
}

function plainValue(document: Yaml.Document, name: string): unknown {
  try {
    return document.toJS() ?? {};
  } catch {
    throw new SettingsError([{ where: name, sentence: 'aliases are nested too deep or refer to nothing' }]);
  }
}

/** The offset of the member, of its key when asked, or of the nearest node around it that is in the text. */
function offsetOf(document: Yaml.Document, path: readonly PropertyKey[], key?: string): number | undefined {
  const { isAlias, isMap, isPair, isScalar } = yaml();
  let node: unknown = document.contents;
  let offset = document.contents?.range?.[0];
  for (const step of key === undefined ? path : [...path, key]) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find(
        (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(step),
      );
      if (pair === undefined) break;
      offset = (pair.key as Yaml.Node).range?.[0] ?? offset;
      node = pair.value;
    } else if (typeof step === 'number' && node !== null && typeof node === 'object' && 'items' in node) {
      node = (node.items as unknown[])[step];
      offset = (node as Yaml.Node | undefined)?.range?.[0] ?? offset;
    } else break;
  }
  return offset;
}

function problems(error: ZodError, where: (path: readonly PropertyKey[], key?: string) => string): Problem[] {
  return error.issues.flatMap((issue): Problem[] => {
    if (issue.code === 'unrecognized_keys') {
      const known = knownMembers(issue.path);
      return issue.keys.map((key) =>
        // Something with digits or colons may be a secret that slid to the left: it is not repeated.
        /^[A-Za-z][A-Za-z_-]{0,39}$/.test(key)
          ? { where: where(issue.path, key), sentence: `is not a known name${didYouMean(key, known)}` }
          : { where: where(issue.path), sentence: 'holds a name that is not known here' },
      );
    }
    if (issue.code === 'invalid_key') {
      const nested = issue.issues[0]?.message ?? 'is not a name that can be used here';
      return [{ where: where(issue.path.slice(0, -1)), sentence: `a name in it ${nested}` }];
    }
    if (issue.code === 'invalid_type' && issue.input === undefined && issue.path.length > 0) {
      return [{ where: where(issue.path), sentence: 'is required' }];
    }
    if (issue.code === 'invalid_union') return [{ where: where(issue.path), sentence: 'has the wrong type' }];
    return [{ where: where(issue.path), sentence: lowerFirst(issue.message) }];
  });
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

/** The names the schema knows at `path`. */
function knownMembers(path: readonly PropertyKey[]): string[] {
  let schema: unknown = fileSchema;
  for (const step of path) schema = memberSchema(unwrap(schema), step);
  const object = unwrap(schema);
  return hasShape(object) ? Object.keys(object.shape) : [];
}

function unwrap(schema: unknown): unknown {
  let inner = schema;
  while (
    inner !== null &&
    typeof inner === 'object' &&
    'unwrap' in inner &&
    typeof inner.unwrap === 'function'
  ) {
    inner = inner.unwrap();
  }
  return inner;
}

function memberSchema(schema: unknown, step: PropertyKey): unknown {
  if (hasShape(schema)) return schema.shape[String(step)];
  if (schema !== null && typeof schema === 'object') {
    if ('valueType' in schema) return schema.valueType;
    if ('element' in schema) return schema.element;
  }
  return undefined;
}

function hasShape(schema: unknown): schema is { shape: Record<string, ZodType> } {
  return (
    schema !== null && typeof schema === 'object' && 'shape' in schema && typeof schema.shape === 'object'
  );
}
