/** The command line of `tsbuild diff`. */

import { DIFFERENCE_GROUPS, type DifferenceGroup, suggest } from '../index.ts';
import { normalizeArgv, usage, valuesOf } from './argv.ts';

/** `tsbuild diff [flags] A B`. */
export interface DiffFlags {
  readonly a: string;
  readonly b: string;
  readonly platform: string | undefined;
  readonly ignore: readonly DifferenceGroup[];
  readonly insecureRegistries: readonly string[];
  readonly json: boolean;
  readonly all: boolean;
  readonly quiet: boolean;
}

export type DiffCommand =
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'diff'; readonly flags: DiffFlags };

const HELP = `Usage: tsbuild diff [flags] A B

Names what differs between two images, the most important first. A and B are layout directories, archives
of OCI or docker (PATH, PATH:TAG or PATH@DIGEST), names that were built, or names in registries; before
a name, docker:// means the registry whatever was built. Exit code 0 if nothing differs, 1 if something
does, 2 if that cannot be told.

Options:
  --json                 print all differences as JSON (docs/diff.md)
  --all                  print all differences, not only the first of each group
  --ignore <group>,...   what does not count: ${DIFFERENCE_GROUPS.slice(0, 5).join(', ')},
                         ${DIFFERENCE_GROUPS.slice(5).join(', ')}
  --platform <platform>  compare the images for this platform (default: all of them)
  --insecure-registry <host>
                         HOST[:PORT] or network for which HTTP and any certificate will do
  -q, --quiet            print nothing: the exit code tells
  -h, --help             print this help
`;

/** Reads what comes after `diff`. @throws ERR_USAGE */
export function parseDiffArgs(argv: readonly string[]): DiffCommand {
  const { flags, positionals } = normalizeArgv(argv, [
    { long: '--json', short: undefined, takes: 'nothing' },
    { long: '--all', short: undefined, takes: 'nothing' },
    { long: '--ignore', short: undefined, takes: 'value' },
    { long: '--platform', short: undefined, takes: 'value' },
    { long: '--insecure-registry', short: undefined, takes: 'value' },
    { long: '--quiet', short: '-q', takes: 'nothing' },
    { long: '--help', short: '-h', takes: 'nothing' },
  ]);
  if (flags.includes('--help')) return { kind: 'help', text: HELP };
  const [a, b, ...more] = positionals;
  if (a === undefined || b === undefined || more.length > 0) {
    throw usage(
      `Cannot compare ${positionals.length === 1 ? 'one image' : `${positionals.length} images`}`,
      'Write "tsbuild diff A B". To build a directory of that name, write "tsbuild ./diff".',
    );
  }
  return {
    kind: 'diff',
    flags: {
      ...{ a, b },
      platform: valuesOf(flags, '--platform').at(-1),
      ignore: valuesOf(flags, '--ignore').flatMap((list) => list.split(',').map(groupOf)),
      insecureRegistries: valuesOf(flags, '--insecure-registry'),
      json: flags.includes('--json'),
      all: flags.includes('--all'),
      quiet: flags.includes('--quiet'),
    },
  };
}

function groupOf(text: string): DifferenceGroup {
  const group = DIFFERENCE_GROUPS.find((name) => name === text.trim());
  if (group !== undefined) return group;
  const closest = suggest(text, DIFFERENCE_GROUPS);
  const meant = closest === undefined ? '' : `Did you mean "${closest}"? `;
  throw usage(
    `Cannot ignore "${text}": there is no such group of differences`,
    `${meant}There are ${DIFFERENCE_GROUPS.join(', ')}.`,
  );
}
