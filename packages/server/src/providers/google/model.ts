/** What a Gemini model takes, from its id. */
import { badField } from '../../contract/errors.ts';
import type { CallTarget } from '../provider.ts';

/** The path below the version. Throws a 400 for ids that would leave it. */
export function modelPath(model: string): string {
  const segments = (model.includes('/') ? model : `models/${model}`).split('/');
  if (!segments.every((segment) => /^[\w@-][\w.@-]*$/.test(segment))) {
    throw badField('model', "Invalid value for 'model': is not a model id of Google");
  }
  return segments.join('/');
}

/** Where a method of a model is, at the Gemini API or at Vertex. */
export type PathOf = (target: CallTarget, verb: string) => string;

export const geminiPath: PathOf = ({ model, options }, verb) =>
  `/${options['api_version'] ?? 'v1beta'}/${modelPath(model)}:${verb}`;

/** `gemini-2.5-pro` → 2.5; null for other families and names without a version. */
export function version(model: string): number | null {
  const found = /gemini-(\d+(?:\.\d+)?)/.exec(model);
  return found === null ? null : Number(found[1]);
}

const isGemini = (model: string): boolean => model.includes('gemini');

/** Thinks by level; 2.5 by a budget in tokens. Names without a version are the newest. */
export const thinksByLevel = (model: string): boolean => isGemini(model) && (version(model) ?? 3) >= 3;
export const thinksByBudget = (model: string): boolean => version(model) === 2.5;
export const isPro = (model: string): boolean => /-pro\b/.test(model);
/** Knows the level MINIMAL: the Flash models of 3 to 3.6. */
export const thinksMinimally = (model: string): boolean =>
  model.includes('flash') && (version(model) ?? 4) <= 3.6;

/** Refuses function calls in the history that lost their thought signature. */
export const checksSignatures = (model: string): boolean => thinksByLevel(model);

/** Searches are billed one by one; before, by the prompt. */
export const billsEachSearch = (model: string): boolean => thinksByLevel(model);
