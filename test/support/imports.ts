/** What a source file imports, as its text says it. */

import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

const SPECIFIER = /\b(?:from|import)\s*\(?\s*['"]([^'"\s]+)['"]/g;

/** Paths of this repository. */
export function relativeImports(file: string): readonly string[] {
  const relative = specifiers(file).filter((specifier) => specifier.startsWith('.'));
  return relative.map((specifier) => normalize(join(dirname(file), specifier)));
}

/** Names of packages. */
export function packageImports(file: string): readonly string[] {
  const packages = specifiers(file).filter((specifier) => !/^(\.|node:)/.test(specifier));
  // A path into a package counts as the package: undici/lib/… is undici.
  return packages.map((name) => name.split('/', name.startsWith('@') ? 2 : 1).join('/'));
}

function specifiers(file: string): readonly string[] {
  return [...codeOf(file).matchAll(SPECIFIER)].map(([, specifier = '']) => specifier);
}

/** A file's text without its comments, which may name what the code must not. */
export function codeOf(file: string): string {
  return readFileSync(file, 'utf8').replaceAll(/^\s*(\/\/|\/?\*).*$/gm, '');
}
