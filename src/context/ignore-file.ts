/** Which ignore file is in force, and its rules (IGN-1, IGN-9). */

import { resolve } from 'node:path';
import type { IgnoreRule } from '../../native/index.ts';
import { locate, TsbuildError } from '../errors.ts';
import { type ContextFiles, readTextFile, unreadableAs } from './context-files.ts';
import { compileIgnore, readIgnore } from './ignore.ts';

/** An ignore file as it counts. */
export interface IgnoreFile {
  /** As messages name it. */
  readonly name: string;
  readonly patterns: readonly string[];
  readonly rules: readonly IgnoreRule[];
  /** Where each rule is written. */
  readonly lines: readonly IgnoreLine[];
}

/** A rule as the user wrote it. */
export interface IgnoreLine {
  /** The ignore file's name. */
  readonly file: string;
  /** Counts from 1. */
  readonly line: number;
  readonly pattern: string;
}

/** Where ignore files are looked for. */
export interface IgnorePlaces {
  /** The context's. */
  readonly files: ContextFiles;
  /** Where the Dockerfile is, for an ignore file of its own beside it; none for named contexts. */
  readonly dockerfile?: { readonly files: ContextFiles; readonly path: string } | undefined;
  /** `--ignorefile`: this one and no other. */
  readonly named?: string | undefined;
}

/** BuildKit's name goes before Buildah's: where both are, the build is the one that docker makes. */
const NAMES = ['.dockerignore', '.containerignore'];

/**
 * The first there is of: the one that is named (`--ignorefile`), `<Dockerfile>.dockerignore`,
 * `<Dockerfile>.containerignore`, the context's `.dockerignore`, its `.containerignore`. They are
 * not merged; an empty one counts. @throws ERR_CONTEXT_MISSING when one cannot be read, ERR_IGNORE_PATTERN
 */
export async function readIgnoreFile(places: IgnorePlaces): Promise<IgnoreFile | undefined> {
  const { files, dockerfile, named } = places;
  if (named !== undefined) {
    const text = await readOne(named, () => readTextFile(resolve(named)));
    if (text === undefined) throw unreadable(named, 'no such file');
    return compileFile(named, text);
  }
  const candidates = [
    ...(dockerfile === undefined
      ? []
      : NAMES.map((name) => ({ from: dockerfile.files, path: dockerfile.path + name }))),
    ...NAMES.map((name) => ({ from: files, path: name })),
  ];
  for (const { from, path } of candidates) {
    const text = await readOne(from.nameOf(path), () => from.readText(path));
    // The last part: a report has room for a name, not for a path.
    if (text !== undefined) return compileFile(path.slice(path.lastIndexOf('/') + 1), text);
  }
  return undefined;
}

async function readOne(
  name: string,
  read: () => Promise<string | undefined>,
): Promise<string | undefined> {
  try {
    return await read();
  } catch (error) {
    throw unreadableAs(error, (why, cause) => unreadable(name, why, cause));
  }
}

function unreadable(file: string, why: string, cause?: unknown): TsbuildError {
  return new TsbuildError('ERR_CONTEXT_MISSING', {
    message: `Cannot read the ignore file "${file}": ${why}`,
    details: { path: file },
    cause,
  });
}

/** Line by line, so that a failure has its place. */
function compileFile(file: string, text: string): IgnoreFile {
  const lines: IgnoreLine[] = [];
  const rules = text.split('\n').flatMap((line, index) => {
    try {
      const compiled = compileIgnore(readIgnore(line));
      const place = { file, line: index + 1, pattern: line.replace(/^\ufeff/, '').trim() };
      lines.push(...compiled.map(() => place));
      return compiled;
    } catch (error) {
      const start = { line: index + 1, column: 0 };
      const range = { start, end: { line: index + 1, column: line.length } };
      throw locate(error, { file, range, source: text });
    }
  });
  return { name: file, patterns: readIgnore(text), rules, lines };
}
