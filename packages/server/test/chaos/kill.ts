/**
 * `npm run chaos -- --engine sqlite|postgres --kills 50 [--postgres-kills 10]`: prints a table, exits 1 on a violation.
 * With `--videos 200 [--replicas 3]` the same for video jobs.
 */
import { parseArgs } from 'node:util';
import { runChaos, table } from './run.ts';
import { runVideoChaos } from './videos.ts';

const { values } = parseArgs({
  options: {
    engine: { type: 'string', default: 'sqlite' },
    kills: { type: 'string', default: '50' },
    'postgres-kills': { type: 'string', default: '0' },
    callers: { type: 'string', default: '12' },
    every: { type: 'string', default: '2500' },
    videos: { type: 'string', default: '0' },
    replicas: { type: 'string', default: '3' },
  },
});
const { engine } = values;
if (engine !== 'sqlite' && engine !== 'postgres') throw new Error('--engine is sqlite or postgres');
const postgresKills = Number(values['postgres-kills']);
if (engine === 'sqlite' && postgresKills > 0) throw new Error('--postgres-kills needs --engine postgres');

const videos = Number(values.videos);
if (videos > 0) {
  const { violations, facts } = await runVideoChaos({
    engine,
    jobs: videos,
    kills: Number(values.kills),
    postgresKills,
    replicas: Number(values.replicas),
    say: (text) => console.error(text),
  });
  console.log(JSON.stringify(facts));
  for (const violation of violations) console.log(violation);
  console.log(violations.length === 0 ? 'Every promise was kept.' : 'A promise was broken.');
  process.exit(violations.length === 0 ? 0 : 1);
}

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
