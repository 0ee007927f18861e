/** `indoxhub config validate|print|schema` */
import { jsonSchema } from '../config/file-schema.ts';
import { names, plainKeys } from '../config/names.ts';
import { formatDuration, formatSize } from '../config/values.ts';
import { Secret } from '../contract/secret.ts';
import type { Settings, Timeouts } from '../contract/settings.ts';
import type { Command } from './command.ts';
import { word } from './table.ts';

const validate: Command = {
  name: 'config validate',
  takes: [],
  summary: 'Check the configuration; say what is wrong and where',
  options: {},
  async run(line) {
    const { settings, warnings } = line.settings();
    for (const warning of warnings) line.say(`warning: ${warning}`);
    const { configPath, providers, models } = settings;
    const counted = `${providers.length} providers, ${models.length} models`;
    const source = configPath ?? 'no file, environment only';
    line.print(
      { valid: true, file: configPath, warnings },
      `The configuration is valid (${source}; ${counted}).`,
    );
    return 0;
  },
};

const print: Command = {
  name: 'config print',
  takes: [],
  summary: 'Print the merged configuration and where each value comes from, without secrets',
  options: {},
  async run(line) {
    const { settings, sources } = line.settings();
    const shown = redacted(settings);
    const plain = plainKeys.map((key) => {
      const value =
        key in settings.timeouts ? settings.timeouts[key as keyof Timeouts] : settings[key as keyof Settings];
      return `${names[key].file.join('.')} = ${written(key, value)}  (${sources[key]})`;
    });
    const rest = ['providers', 'models', 'aliases', 'defaults'].map(
      (key) => `${key} = ${JSON.stringify(shown[key], null, 2)}`,
    );
    line.print({ settings: shown, sources }, [...plain, ...rest].join('\n'));
    return 0;
  },
};

function written(key: string, value: unknown): string {
  if (value instanceof Secret) return value.toString();
  if (typeof value !== 'number') return word(value);
  if (key.endsWith('Ms')) return formatDuration(value);
  return key.endsWith('Bytes') ? formatSize(value) : String(value);
}

const secretName = /key|secret|token|password|credential/i;

/** Keys are redacted by their own class; headers are all hidden, options by their name. */
function redacted(settings: Settings): Readonly<Record<string, unknown>> {
  const hide = (record: Readonly<Record<string, string>>, isSecret: (name: string) => boolean): object =>
    Object.fromEntries(
      Object.entries(record).map(([name, value]) => [name, isSecret(name) ? '[redacted]' : value]),
    );
  return JSON.parse(
    JSON.stringify({
      ...settings,
      providers: settings.providers.map((provider) => ({
        ...provider,
        options: hide(provider.options, (name) => secretName.test(name)),
        headers: hide(provider.headers, () => true),
      })),
    }),
  );
}

const schema: Command = {
  name: 'config schema',
  takes: [],
  summary: 'Print the JSON Schema of indoxhub.yaml',
  options: {},
  async run() {
    console.log(JSON.stringify(jsonSchema(), null, 2));
    return 0;
  },
};

export const configCommands: readonly Command[] = [validate, print, schema];
