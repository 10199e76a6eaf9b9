/** The action's file: one process for one step of a job. */

import { run } from './main.ts';

const cancelled = new AbortController();
// SIGINT when a job is cancelled, SIGTERM 7.5 s later, an end 2.5 s after that: what is asked for once is done.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => cancelled.abort(new Error(`Cancelled by ${name}`)));
}
// A log that nobody takes any more is no reason to leave things behind.
process.stdout.on('error', () => undefined);

const code = await run({
  environment: process.env,
  write: (text) => process.stdout.write(text),
  signal: cancelled.signal,
});
// Nothing that was left open may hold the job; but what was said must have left.
process.stdout.write('', () => process.exit(code));
