/** The command line of `tsbuild doctor`. */

import { normalizeArgv, usage } from './argv.ts';

/** `tsbuild doctor [--json] [--isolation=MODE]`. */
export interface DoctorFlags {
  readonly json: boolean;
  readonly isolation: string | undefined;
}

export type DoctorCommand =
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'doctor'; readonly flags: DoctorFlags };

const HELP = `Usage: tsbuild doctor [flags]

Tells what works on this machine: how RUN is isolated, and why not better; the store, platforms, tools,
credentials, certificates and proxies; and what to change. Exit code 0 if builds with RUN work, else 4.

Options:
  --json              print JSON (docs/doctor.md)
  --isolation <mode>  look at this one alone: root, subids or single (default: auto)
  -h, --help          print this help
`;

/** Reads what comes after `doctor`. @throws ERR_USAGE */
export function parseDoctorArgs(argv: readonly string[]): DoctorCommand {
  const { flags, positionals } = normalizeArgv(argv, [
    { long: '--json', short: undefined, takes: 'nothing' },
    { long: '--isolation', short: undefined, takes: 'value' },
    { long: '--help', short: '-h', takes: 'nothing' },
  ]);
  if (positionals.length > 0) {
    throw usage(
      `Cannot look at "${positionals.join(' ')}": "doctor" takes no arguments`,
      'To build a directory of that name, write "tsbuild ./doctor".',
    );
  }
  if (flags.includes('--help')) return { kind: 'help', text: HELP };
  const isolation = flags.findLast((flag) => flag.startsWith('--isolation='));
  return {
    kind: 'doctor',
    flags: {
      json: flags.includes('--json'),
      isolation: isolation?.slice('--isolation='.length),
    },
  };
}
