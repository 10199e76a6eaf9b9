/** `# syntax=`: there is one grammar here, and it is docker/dockerfile's (DIR-6). */

import { type Dockerfile, detectSyntax } from '../../parser/index.ts';
import { locate } from '../errors.ts';
import { parseReference } from '../oci/reference.ts';
import { locationOf, unsupported } from './failures.ts';

const BUILTIN = ['docker/dockerfile', 'docker/dockerfile-upstream'];

/**
 * Refuses a Dockerfile that is written for another frontend, rather than misread it.
 *
 * `--build-arg BUILDKIT_SYNTAX=` goes before the directive (DIR-5). @throws ERR_UNSUPPORTED
 */
export function checkSyntax(dockerfile: Dockerfile, override: string | undefined): void {
  const value = override ?? detectSyntax(dockerfile.source);
  if (value === undefined) return;
  // What follows the image's name are arguments for the frontend.
  const [frontend = ''] = value.trim().split(/\s+/);
  if (frontend === '' || isBuiltin(frontend)) return;
  const error = unsupported('syntax', {
    message: `Cannot use "${frontend}" as the frontend`,
    hint: 'Frontends are not run. Only "docker/dockerfile" is known, and that is built in.',
  });
  const directive = dockerfile.directives.find(({ name }) => name === 'syntax');
  if (override !== undefined || directive === undefined) throw error;
  throw locate(error, locationOf(dockerfile, directive.range));
}

function isBuiltin(frontend: string): boolean {
  if (frontend === 'dockerfile.v0') return true;
  try {
    // Mirrors of it are the same grammar, whatever their host.
    return BUILTIN.includes(parseReference(frontend).repository);
  } catch {
    // Not a name of an image at all, so not of this one.
    return false;
  }
}
