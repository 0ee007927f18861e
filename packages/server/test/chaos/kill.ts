/** `npm run chaos -- --engine sqlite|postgres --kills 50 [--postgres-kills 10]`: prints a table, exits 1 on a violation. */
import { parseArgs } from 'node:util';
import { runChaos, table } from './run.ts';

const { values } = parseArgs({
  options: {
    engine: { type: 'string', default: 'sqlite' },
    kills: { type: 'string', default: '50' },
    'postgres-kills': { type: 'string', default: '0' },
    callers: { type: 'string', default: '12' },
    every: { type: 'string', default: '2500' },
  },
});
const { engine } = values;
if (engine !== 'sqlite' && engine !== 'postgres') throw new Error('--engine is sqlite or postgres');
const postgresKills = Number(values['postgres-kills']);
if (engine === 'sqlite' && postgresKills > 0) throw new Error('--postgres-kills needs --engine postgres');

const report = await runChaos({
  engine,
  kills: Number(values.kills),
  postgresKills,
  callers: Number(values.callers),
  everyMs: Number(values.every),
  say: (text) => console.error(text),
});
console.log(`${new Date().toISOString().slice(0, 10)}, Node ${process.version}\n\n${table(report)}`);
const isClean = report.findings.every(({ violations }) => violations.length === 0);
console.log(isClean ? '\nEvery promise was kept.' : '\nA promise was broken.');
process.exitCode = isClean ? 0 : 1;
