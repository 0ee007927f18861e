/** AI engines in this process: no key, no network, no compiler. `createLocalEngines()` is the door. */
export type * from './contract.ts';
export { LocalEngineError, type LocalEngineErrorCode, type LocalField } from './errors.ts';
export { createLocalEngines } from './engines.ts';
