/**
 * AST → text, without loss: what a node covers is written from the node, what lies between nodes
 * (blank lines, line ends, indentation, a byte order mark) is copied.
 *
 * A node that is as it was parsed is written as it stood, quotes, continuations and all. One that
 * was replaced by a changed copy is written anew, alone. To know which is which, the source is
 * parsed again and both trees are compared: so no change can be lost. It is written, or refused.
 */

import type { Position, SourceRange } from '../src/errors.ts';
import type {
  ArgDeclaration,
  Comment,
  Directive,
  Dockerfile,
  Flag,
  Heredoc,
  Instruction,
  Pair,
  Word,
} from './ast.ts';
import { parseDockerfileWithErrors } from './dockerfile.ts';

/**
 * The text of a Dockerfile: `print(parseDockerfile(text)) === text`.
 *
 * These may be replaced by changed copies: words (`image`, `ports`, paths of `sources`), `pairs`,
 * `args`, `flags`, `heredocs`, comments, directives and an instruction's `keyword`. Throws a
 * TypeError, with the path, for any other change: edit the text for those, and parse it again.
 */
export function print(dockerfile: Dockerfile): string {
  const { source, file } = dockerfile;
  const { dockerfile: parsed } = parseDockerfileWithErrors(source, { file });
  const place: Place = { source, offsetOf: createOffsets(source), edits: new Map() };
  compare(parsed, dockerfile, { place, path: '' });
  const edits = [...place.edits.values()].sort((a, b) => a.start - b.start);
  let text = '';
  let cursor = 0;
  for (const { range } of inOrder(parsed, place)) {
    const start = place.offsetOf(range.start);
    // A comment between the lines of an instruction is written with that.
    if (start < cursor) continue;
    const end = place.offsetOf(range.end);
    text += source.slice(cursor, start) + printNode(source, { start, end }, edits);
    cursor = end;
  }
  return text + source.slice(cursor);
}

/** A changed node's new text, and the offsets between which the old one stands. */
interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

interface Place {
  readonly source: string;
  readonly offsetOf: (position: Position) => number;
  /** By start: a comment or a heredoc is in the AST twice. */
  readonly edits: Map<number, Edit>;
}

interface Comparison {
  readonly place: Place;
  /** Where in the AST, e.g. `instructions.0.image`. */
  readonly path: string;
}

/** From positions to offsets into `source`. */
export function createOffsets(source: string): (position: Position) => number {
  const lines = [0];
  for (let at = source.indexOf('\n'); at >= 0; at = source.indexOf('\n', at + 1))
    lines.push(at + 1);
  return ({ line, column }) => (lines[line - 1] ?? source.length) + column;
}

function inOrder(dockerfile: Dockerfile, place: Place): readonly { range: SourceRange }[] {
  const { directives, comments, instructions } = dockerfile;
  const nodes = [...directives, ...comments, ...instructions];
  const keyed = nodes.map((node) => ({ node, at: place.offsetOf(node.range.start) }));
  return keyed.sort((a, b) => a.at - b.at).map(({ node }) => node);
}

/** `edits` are in order; those of this node are taken off their front. */
function printNode(
  source: string,
  { start, end }: { readonly start: number; readonly end: number },
  edits: Edit[],
): string {
  let text = '';
  let cursor = start;
  for (let edit = edits[0]; edit !== undefined && edit.start < end; edit = edits[0]) {
    text += source.slice(cursor, edit.start) + edit.text;
    cursor = edit.end;
    edits.shift();
  }
  return text + source.slice(cursor, end);
}

type Leaf = Word | Pair | ArgDeclaration | Flag | Heredoc | Comment | Directive;

/** Collects an edit for every leaf that differs. */
function compare(before: unknown, after: unknown, at: Comparison): void {
  if (Object.is(before, after)) return;
  if (!isObject(before) || !isObject(after) || Array.isArray(before) !== Array.isArray(after)) {
    return refuse(at.path);
  }
  if (isLeaf(before)) return compareLeaf(before, after, at);
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const path = at.path === '' ? key : `${at.path}.${key}`;
    const [old, now] = [propertyOf(before, key), propertyOf(after, key)];
    if (key === 'keyword' && typeof now === 'string' && isInstruction(before)) {
      compareKeyword(before, now, at.place);
    } else compare(old, now, { ...at, path });
  }
}

function refuse(path: string): never {
  throw new TypeError(`Cannot print a change of "${path}": edit the text, and parse it again`);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function propertyOf(value: object, key: string): unknown {
  return Object.getOwnPropertyDescriptor(value, key)?.value;
}

/** Nodes that consist of strings and a range. Warnings do too, but are no text. */
function isLeaf(node: object): node is Leaf {
  return 'range' in node && !('keyword' in node) && !('rule' in node);
}

function compareLeaf(before: Leaf, after: object, { place, path }: Comparison): void {
  const keys = Object.keys(before).filter((key) => key !== 'range');
  const changed = keys.filter((key) => propertyOf(before, key) !== propertyOf(after, key));
  const [first] = changed;
  if (first === undefined) return;
  if (!isLikeLeaf(before, after)) return refuse(path);
  const fixed = changed.find((key) => FIXED.has(key) || (key === 'name' && 'content' in before));
  if (fixed !== undefined) return refuse(`${path}.${fixed}`);
  const start = place.offsetOf(before.range.start);
  const end = place.offsetOf(before.range.end);
  const text = writeLeaf(before, after, place.source.slice(start, end));
  place.edits.set(start, { start, end, text });
}

/** These follow from text that lies elsewhere. */
const FIXED = new Set(['kind', 'expand', 'chomp', 'fileDescriptor']);

function isLikeLeaf(before: Leaf, after: object): after is Leaf {
  const isString = (key: string): boolean => typeof propertyOf(after, key) === 'string';
  const optional = ['value', 'default'];
  return Object.keys(before).every((key) => {
    const isFree = key === 'range' || FIXED.has(key);
    return isFree || isString(key) || (optional.includes(key) && !('text' in before));
  });
}

function isInstruction(node: object): node is Instruction {
  return 'keyword' in node;
}

function compareKeyword({ keyword, range }: Instruction, changed: string, place: Place): void {
  if (changed === keyword) return;
  const start = place.offsetOf(range.start);
  place.edits.set(start, { start, end: start + keyword.length, text: changed });
}

/** `written` is what stands for `before` in the source. */
function writeLeaf(before: Leaf, after: Leaf, written: string): string {
  if ('content' in after) return after.content + after.name;
  if ('text' in after) return writeText(before, after, written);
  if ('default' in after) return writeAssignment(after.name, '=', after.default);
  if ('kind' in after) return `# ${after.name}=${after.value}`;
  if (written.startsWith('--')) {
    return writeAssignment(`--${after.name}`, '=', after.value && quoteFlag(after.value));
  }
  const isLegacy = !written.replace(/[\\`][ \t]*\r?\n/g, '').startsWith(`${nameOf(before)}=`);
  return writeAssignment(after.name, isLegacy ? ' ' : '=', after.value);
}

function nameOf(leaf: Leaf): string {
  return 'name' in leaf ? leaf.name : '';
}

function writeText(before: Leaf, after: Word | Comment, written: string): string {
  if ('kind' in after && after.kind === 'comment') return `#${after.text}`;
  // A string of a JSON array is decoded; any other word is as written.
  const isJson = written.startsWith('"') && 'text' in before && before.text !== written;
  return isJson ? JSON.stringify(after.text) : after.text;
}

function writeAssignment(name: string, separator: string, value: string | undefined): string {
  return value === undefined ? name : name + separator + value;
}

function quoteFlag(value: string): string {
  return /[\s"'\\\x85]/.test(value) ? `"${value.replace(/["\\]/g, '\\$&')}"` : value;
}
