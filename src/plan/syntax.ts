/** `# syntax=`: there is one grammar here, and it is docker/dockerfile's (DIR-6). */

import { type Dockerfile, detectSyntax } from '../../parser/index.ts';
import { locate } from '../errors.ts';
import { parseReference } from '../oci/reference.ts';
import { locationOf, unsupported } from './failures.ts';

/** What the built-in grammar knows: that of docker/dockerfile 1.26. */
const [MAJOR, MINOR] = [1, 26];
const BUILTIN = ['docker/dockerfile', 'docker/dockerfile-upstream'];

/**
 * Refuses a Dockerfile that is written for another frontend, rather than misread it.
 *
 * `--build-arg BUILDKIT_SYNTAX=` goes before the directive (DIR-5). @throws ERR_UNSUPPORTED
 */
export function checkSyntax(dockerfile: Dockerfile, override: string | undefined): void {
  const frontend = frontendOf(dockerfile, override);
  if (frontend === '' || isBuiltin(frontend)) return;
  const error = unsupported('syntax', {
    message: `Cannot use "${frontend}" as the frontend`,
    hint: 'Frontends are not run. Only "docker/dockerfile" is known, and that is built in.',
  });
  const directive = dockerfile.directives.find(({ name }) => name === 'syntax');
  if (override !== undefined || directive === undefined) throw error;
  throw locate(error, locationOf(dockerfile, directive.range));
}

/** What to tell of a Dockerfile for a newer grammar than there is here; undefined: it is none (T-27). */
export function describeNewerSyntax(
  dockerfile: Dockerfile,
  override: string | undefined,
): string | undefined {
  const frontend = frontendOf(dockerfile, override);
  const [, major, minor = 0] = /:(\d+)(?:\.(\d+))?[^/]*$/.exec(frontend) ?? [];
  const isNewer = Number(major) > MAJOR || (Number(major) === MAJOR && Number(minor) > MINOR);
  if (!isNewer) return undefined;
  return `"${frontend}" is newer than the built-in grammar, which is that of ${MAJOR}.${MINOR}`;
}

/** The empty string when none is named. What follows the image's name are arguments for the frontend. */
function frontendOf(dockerfile: Dockerfile, override: string | undefined): string {
  const value = override ?? detectSyntax(dockerfile.source) ?? '';
  return value.trim().split(/\s+/)[0] ?? '';
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
