/** The command line of `tsbuild push`. */

import { normalizeArgv, usage, valuesOf } from './argv.ts';

/** `tsbuild push [flags] [SOURCE] NAME`. */
export interface PushFlags {
  readonly name: string;
  readonly source: string | undefined;
  readonly digest: string | undefined;
  readonly insecureRegistries: readonly string[];
  readonly quiet: boolean;
}

export type PushCommand =
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'push'; readonly flags: PushFlags };

const HELP = `Usage: tsbuild push [flags] [SOURCE] NAME

Pushes an image that was built, and builds nothing: what was built last as NAME, or SOURCE, which is
another name that was built, or oci:PATH[:TAG], a layout directory or an archive. NAME with a digest
and no tag is pushed under the digest alone.

Options:
  --digest <digest>  which image of the store (default: the last that was built)
  --insecure-registry <host>
                     HOST[:PORT] or network for which HTTP and any certificate will do
  -q, --quiet        print nothing but the digest
  -h, --help         print this help
`;

/** Reads what comes after `push`. @throws ERR_USAGE */
export function parsePushArgs(argv: readonly string[]): PushCommand {
  const { flags, positionals } = normalizeArgv(argv, [
    { long: '--digest', short: undefined, takes: 'value' },
    { long: '--insecure-registry', short: undefined, takes: 'value' },
    { long: '--quiet', short: '-q', takes: 'nothing' },
    { long: '--help', short: '-h', takes: 'nothing' },
  ]);
  if (flags.includes('--help')) return { kind: 'help', text: HELP };
  const [name, source, ...more] = positionals.toReversed();
  if (name === undefined || more.length > 0) {
    throw usage(
      name === undefined
        ? 'Cannot push without a name'
        : `Cannot push to several names at once: ${positionals.join(', ')}`,
      'Write "tsbuild push NAME", or "tsbuild push SOURCE NAME". To build a directory of that name, write "tsbuild ./push".',
    );
  }
  return {
    kind: 'push',
    flags: {
      ...{ name, source },
      digest: valuesOf(flags, '--digest').at(-1),
      insecureRegistries: valuesOf(flags, '--insecure-registry'),
      quiet: flags.includes('--quiet'),
    },
  };
}
