/** `--isolation`: how RUN is kept apart from the machine. */

import type { BuildOptions } from '../index.ts';
import { usage } from './argv.ts';
import { OTHER_ISOLATIONS } from './docker-flags.ts';

/** Other builders' words for "as you think best" are not ours: args.ts has told. @throws ERR_USAGE */
export function isolationOf(name: string | undefined): BuildOptions['isolation'] {
  if (name === undefined || OTHER_ISOLATIONS.includes(name)) return undefined;
  if (name === 'auto' || name === 'root' || name === 'subids' || name === 'single') return name;
  throw usage(
    `Cannot use the isolation "${name}"`,
    'It is "auto", "root", "subids" or "single"; "tsbuild doctor" tells which work here.',
  );
}
