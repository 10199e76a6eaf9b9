/** The process: argv and environment in, exit code out. */

import type { Environment } from './environment.ts';
import { EXIT, exitCodeOf } from './exit-code.ts';

/** Runs the command and ends the process itself, so that nothing left open can hold it. */
export async function main(): Promise<never> {
  // A pipe whose reader went away (`2>&1 | head`) is no reason to stop building.
  process.stderr.on('error', () => undefined);
  process.exit(await run(process.argv.slice(2), process.env));
}

async function run(argv: readonly string[], environment: Environment): Promise<number> {
  try {
    const { parseArgs } = await import('./args.ts');
    const command = parseArgs(argv);
    switch (command.kind) {
      case 'help':
        process.stdout.write(command.text);
        return EXIT.ok;
      case 'version':
        process.stdout.write(`tsbuild ${await readVersion()}\n`);
        return EXIT.ok;
      case 'build': {
        const { createRequest } = await import('./request.ts');
        const request = await createRequest(command.flags, environment);
        const { readCall } = await import('./call.ts');
        const call = readCall(command.flags);
        if (call.kind === 'check') {
          const { runCheck } = await import('./run-check.ts');
          return await runCheck(request, { call, warnings: command.warnings, environment });
        }
        const { runBuild } = await import('./run-build.ts');
        return await runBuild(request, { warnings: command.warnings, environment });
      }
    }
  } catch (error) {
    const { report } = await import('./report.ts');
    report(error, { step: undefined, environment });
    // Nothing was built yet, so whatever the code, the command line caused it.
    return exitCodeOf(error) === EXIT.bug ? EXIT.bug : EXIT.usage;
  }
}

async function readVersion(): Promise<string> {
  const { default: manifest } = await import('../../package.json', { with: { type: 'json' } });
  return manifest.version;
}
