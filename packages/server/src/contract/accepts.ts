/**
 * A yes in a fraction of the time: from a schema, a check that says true only for what the schema takes. Ordinary bodies
 * pass it; whatever it is not sure of the schema itself judges, and words the complaint. Nothing is copied, so what
 * passes must not need the schema's defaults or transforms.
 */
import type { ZodType } from 'zod';
import type * as core from 'zod/v4/core';

export type Accepts = (value: unknown) => boolean;

type Check = NonNullable<core.$ZodTypeDef['checks']>[number];

/** The members of a list that is checked one by one, by the function that does it. */
const membersOf = new WeakMap<object, ZodType>();

/** Tells that `check` of an array takes exactly the lists of what `item` takes. */
export function rememberList(check: object, item: ZodType): void {
  membersOf.set(check, item);
}

/** The function behind a check, to be compared and not called. */
const checkOf = ({ _zod: { check } }: { readonly _zod: { readonly check: object } }): object => check;

const unsure: Accepts = () => false;

const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What a check says of a value, or null where it is one that is not known here. */
function acceptsOf(check: Check): Accepts | null {
  const definition = check._zod.def;
  switch (definition.check) {
    case 'min_length': {
      const { minimum } = definition as core.$ZodCheckMinLengthDef;
      return (value) => (value as string | unknown[]).length >= minimum;
    }
    case 'max_length': {
      const { maximum } = definition as core.$ZodCheckMaxLengthDef;
      return (value) => (value as string | unknown[]).length <= maximum;
    }
    case 'greater_than': {
      const { value: bound, inclusive } = definition as core.$ZodCheckGreaterThanDef;
      if (typeof bound !== 'number') return null;
      return inclusive ? (value) => (value as number) >= bound : (value) => (value as number) > bound;
    }
    case 'less_than': {
      const { value: bound, inclusive } = definition as core.$ZodCheckLessThanDef;
      if (typeof bound !== 'number') return null;
      return inclusive ? (value) => (value as number) <= bound : (value) => (value as number) < bound;
    }
    case 'number_format':
      return (definition as core.$ZodCheckNumberFormatDef).format === 'safeint' ? Number.isSafeInteger : null;
    case 'custom': {
      const item = membersOf.get(checkOf(check));
      if (item === undefined) return null;
      const accepts = compile(item);
      return (value) => (value as unknown[]).every(accepts);
    }
    default:
      return null;
  }
}

/** `base`, and all checks of the schema as well. */
function checked(definition: core.$ZodTypeDef, base: Accepts): Accepts {
  const checks: Accepts[] = [];
  for (const check of definition.checks ?? []) {
    const accepts = acceptsOf(check);
    if (accepts === null) return unsure;
    checks.push(accepts);
  }
  if (checks.length === 0) return base;
  return (value) => base(value) && checks.every((accepts) => accepts(value));
}

function objectOf(definition: core.$ZodObjectDef): Accepts {
  // Only objects that let unknown members pass.
  if (definition.catchall?._zod.def.type !== 'unknown') return unsure;
  const members = new Map<string, Accepts>();
  const required: string[] = [];
  for (const [name, schema] of Object.entries(definition.shape)) {
    const accepts = compile(schema as unknown as ZodType);
    members.set(name, accepts);
    if (!accepts(undefined)) required.push(name);
  }
  return (value) => {
    if (!isPlainObject(value)) return false;
    for (const name of required) if (value[name] === undefined) return false;
    for (const name in value) {
      const accepts = members.get(name);
      if (accepts !== undefined && !accepts(value[name])) return false;
    }
    return true;
  };
}

/** The quick check of a schema. */
export function compile(schema: ZodType): Accepts {
  const definition = schema._zod.def as core.$ZodTypes['_zod']['def'];
  switch (definition.type) {
    case 'string':
      return checked(definition, (value) => typeof value === 'string');
    case 'number':
      return 'format' in definition && definition.format !== undefined
        ? definition.format === 'safeint'
          ? checked(definition, Number.isSafeInteger)
          : unsure
        : checked(definition, Number.isFinite);
    case 'boolean':
      return checked(definition, (value) => typeof value === 'boolean');
    case 'null':
      return (value) => value === null;
    case 'unknown':
      return checked(definition, () => true);
    case 'optional': {
      const inner = compile(definition.innerType as unknown as ZodType);
      return (value) => value === undefined || inner(value);
    }
    case 'nullable': {
      const inner = compile(definition.innerType as unknown as ZodType);
      return (value) => value === null || inner(value);
    }
    case 'union': {
      const options = definition.options.map((each) => compile(each as unknown as ZodType));
      return (value) => options.some((accepts) => accepts(value));
    }
    case 'array': {
      if (definition.element._zod.def.type !== 'unknown') return unsure;
      return checked(definition, Array.isArray);
    }
    case 'object':
      return checked(definition, objectOf(definition));
    default:
      return unsure;
  }
}
