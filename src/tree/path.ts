/**
 * Paths of a tree: byte strings, relative to the root, no leading or trailing slash, the root is "".
 *
 * One JavaScript character per byte, so that names that are no UTF-8 survive and the order of strings
 * is the order of bytes. What a user typed is converted on the way in, what a user reads on the way out.
 */

/** Text as a user or a Dockerfile writes it → byte string, cleaned: `.`, `..` and doubled slashes gone. */
export function toPath(text: string): string {
  return cleanPath(toBytes(text));
}

/** UTF-8 text → byte string, nothing else changed. */
export function toBytes(text: string): string {
  // Most names are ASCII; for those a byte string is the text itself.
  return isAscii(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

/** Byte string → text. Bytes that are no UTF-8 become U+FFFD: for display and matching alone. */
export function toText(path: string): string {
  return isAscii(path) ? path : Buffer.from(path, 'latin1').toString('utf8');
}

/** Resolves `.`, `..` (clamped at the root) and doubled slashes by the words alone. */
export function cleanPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}

export function joinPath(directory: string, name: string): string {
  if (directory === '') return name;
  return name === '' ? directory : `${directory}/${name}`;
}

/** The directory of a path; of a name at the root, and of the root, it is the root. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** `a/b/c` → `a`, `a/b`: from the top down, neither the root nor the path itself. */
export function ancestorsOf(path: string): string[] {
  const ancestors: string[] = [];
  for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) {
    ancestors.push(path.slice(0, at));
  }
  return ancestors;
}

/** Whether a path is a directory's own or below it. */
export function isWithin(path: string, directory: string): boolean {
  return (
    directory === '' ||
    path === directory ||
    (path.length > directory.length && path.startsWith(directory) && path[directory.length] === '/')
  );
}

/** The order of an index: `/` is lower than every other byte, so that a subtree is one range. */
export function comparePaths(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return x === SLASH ? -1 : y === SLASH ? 1 : x - y;
  }
  return a.length - b.length;
}

const SLASH = 0x2f;

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}
