/** The process: argv and environment in, exit code out. */

import type { Call } from './call.ts';
import type { Environment } from './environment.ts';
import { EXIT, exitCodeOf } from './exit-code.ts';
import type { BuildRequest } from './request.ts';

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
      case 'version': {
        const { readVersion } = await import('./version.ts');
        process.stdout.write(`tsbuild ${await readVersion()}\n`);
        return EXIT.ok;
      }
      case 'build': {
        const { createRequest } = await import('./request.ts');
        const request = await createRequest(command.flags, environment);
        const { readCall } = await import('./call.ts');
        const call = readCall(command.flags);
        return await runCall(call, request, { warnings: command.warnings, environment });
      }
      case 'push': {
        const { runPush } = await import('./run-push.ts');
        return await runPush(command.flags, environment);
      }
      case 'diff': {
        const { runDiff } = await import('./run-diff.ts');
        return await runDiff(command.flags, environment);
      }
      case 'index': {
        const { runIndex } = await import('./run-index.ts');
        return await runIndex(command.flags, environment);
      }
      case 'doctor': {
        const { runDoctor } = await import('./run-doctor.ts');
        return await runDoctor(command.flags, environment);
      }
      case 'context': {
        const { createRequest } = await import('./request.ts');
        const { flags, warnings } = command;
        const { options } = await createRequest(flags, environment);
        const { runContext } = await import('./run-context.ts');
        return await runContext(options, { flags, warnings, environment });
      }
    }
  } catch (error) {
    const { report } = await import('./report.ts');
    report(error, { step: undefined, environment });
    // Nothing was built yet, so whatever the code, the command line caused it.
    return exitCodeOf(error) === EXIT.bug ? EXIT.bug : EXIT.usage;
  }
}

async function runCall(
  call: Call,
  request: BuildRequest,
  told: { readonly warnings: readonly string[]; readonly environment: Environment },
): Promise<number> {
  switch (call.kind) {
    case 'build': {
      const { runBuild } = await import('./run-build.ts');
      return await runBuild(request, told);
    }
    case 'check': {
      const { runCheck } = await import('./run-check.ts');
      return await runCheck(request, { call, ...told });
    }
    case 'outline':
    case 'targets':
    case 'describe': {
      const { runList } = await import('./run-list.ts');
      return await runList(request, { call, ...told });
    }
  }
}
