/** The command line of `tsbuild index create`. */

import { normalizeArgv, usage, valuesOf } from './argv.ts';

/** `tsbuild index create [flags] SOURCE…`. */
export interface IndexFlags {
  readonly sources: readonly string[];
  readonly tags: readonly string[];
  readonly outputs: readonly string[];
  readonly push: boolean;
  readonly platform: string | undefined;
  readonly allowFewer: boolean;
  readonly insecureRegistries: readonly string[];
  readonly quiet: boolean;
}

export type IndexCommand =
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'index'; readonly flags: IndexFlags };

const HELP = `Usage: tsbuild index create [flags] -t NAME --push SOURCE…
       tsbuild index create [flags] -o type=oci,dest=FILE SOURCE…

Joins images that were built apart into one index: a SOURCE is NAME[:TAG][@DIGEST] or docker://NAME,
an image of a registry, or PATH[:TAG], a layout directory or an archive. Refuses two images for one
platform, and to replace an image that has more platforms. Layers that the registry has stay there.

Options:
  -t, --tag <name>       a name of the index
  --push                 push it under its names: images first, the tag last
  -o, --output <output>  type=oci,dest=FILE, type=oci,tar=false,dest=DIRECTORY or type=registry,name=NAME
  --platform <platform>  the platforms that there must be, with commas, in this order
  --allow-fewer          replace an image that has more platforms
  --insecure-registry <host>
                         HOST[:PORT] or network for which HTTP and any certificate will do
  -q, --quiet            print nothing but the digest
  -h, --help             print this help
`;

/** `index` alone may be a directory to build. @throws ERR_USAGE for `index` and a word that is no command */
export function isIndexCommand([first, second]: readonly string[]): boolean {
  if (first !== 'index' || second === undefined || second.startsWith('-')) return false;
  if (second === 'create') return true;
  throw usage(
    `Cannot understand "index ${second}"`,
    'Write "tsbuild index create [flags] SOURCE…", or "tsbuild ./index" to build a directory of that name.',
  );
}

/** Reads what comes after `index create`. @throws ERR_USAGE */
export function parseIndexArgs(argv: readonly string[]): IndexCommand {
  const { flags, positionals } = normalizeArgv(argv, [
    { long: '--tag', short: '-t', takes: 'value' },
    { long: '--output', short: '-o', takes: 'value' },
    { long: '--push', short: undefined, takes: 'nothing' },
    { long: '--platform', short: undefined, takes: 'value' },
    { long: '--insecure-registry', short: undefined, takes: 'value' },
    { long: '--allow-fewer', short: undefined, takes: 'nothing' },
    { long: '--quiet', short: '-q', takes: 'nothing' },
    { long: '--help', short: '-h', takes: 'nothing' },
  ]);
  if (flags.includes('--help')) return { kind: 'help', text: HELP };
  return {
    kind: 'index',
    flags: {
      sources: positionals,
      tags: valuesOf(flags, '--tag'),
      outputs: valuesOf(flags, '--output'),
      push: flags.includes('--push'),
      platform: valuesOf(flags, '--platform').join(',') || undefined,
      allowFewer: flags.includes('--allow-fewer'),
      insecureRegistries: valuesOf(flags, '--insecure-registry'),
      quiet: flags.includes('--quiet'),
    },
  };
}
