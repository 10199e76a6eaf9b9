/**
 * What a failed build says: the step's last output, the place in the Dockerfile, the error, a hint. Of
 * several errors the same of each, from top to bottom, and how many there are.
 */

import { stripVTControlCharacters, styleText } from 'node:util';
import { hasCode, type SourceLocation, TsbuildError } from '../index.ts';
import type { Environment } from './environment.ts';

/** What the report may need besides the error. */
export interface ReportOptions {
  /** The name of the step that failed. */
  readonly step: string | undefined;
  readonly color: boolean;
  /** Show stacks and causes. */
  readonly debug: boolean;
}

/** Lines of context around the failing ones. */
const CONTEXT_LINES = 3;
const OUTPUT_LINES = 20;
const RULE = '-'.repeat(20);

interface ReportContext {
  readonly step: string | undefined;
  readonly environment: Environment;
}

/** Writes the report to stderr. */
export function report(error: unknown, { step, environment }: ReportContext): void {
  const color = process.stderr.isTTY && !environment['NO_COLOR'];
  const debug = Boolean(environment['TSBUILD_DEBUG']);
  process.stderr.write(renderReport(error, { step, color, debug }));
}

/** Tells something on stderr that is no reason to stop. */
export function warn(message: string): void {
  process.stderr.write(`WARNING: ${clean(message)}\n`);
}

/** The report's text, safe for a terminal and without credentials; ends with a newline (LEX-10, LIM-3). */
export function renderReport(error: unknown, options: ReportOptions): string {
  const lines =
    error instanceof TsbuildError ? describeFailure(error, options) : describeBug(error, options);
  return `${lines.join('\n')}\n`;
}

function describeFailure(error: TsbuildError, options: ReportOptions): string[] {
  if (error.others.length === 0) return describeOne(error, options);
  const all = [error, ...error.others].toSorted((a, b) => lineOf(a) - lineOf(b));
  return [...all.flatMap((one) => [...describeOne(one, options), '']), `${all.length} errors`];
}

function lineOf({ location }: TsbuildError): number {
  return location?.range.start.line ?? 0;
}

function describeOne(error: TsbuildError, { step, color, debug }: ReportOptions): string[] {
  const paint = painter(color);
  const lines: string[] = [];
  if (hasCode(error, 'ERR_STEP_FAILED') || hasCode(error, 'ERR_STEP_TIMEOUT')) {
    const output = tail(clean(error.details.output));
    lines.push('------', ` > ${clean(step ?? 'step')}:`, ...output, '------');
  }
  if (error.location !== undefined) lines.push(...frame(error.location, paint));
  lines.push(`${paint('red', 'ERROR:')} ${clean(error.message)} [${error.code}]`);
  if (error.hint !== undefined) lines.push(`${paint('cyan', 'hint:')} ${clean(error.hint)}`);
  if (debug) lines.push(clean(stackOf(error)));
  return lines;
}

function describeBug(error: unknown, { color, debug }: ReportOptions): string[] {
  const paint = painter(color);
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const headline = `${paint('red', 'ERROR:')} tsbuild failed in a way it should not: ${clean(message)}`;
  const hint = 'This is a bug. Please report it with what TSBUILD_DEBUG=1 prints.';
  return [headline, debug ? clean(stackOf(error)) : `${paint('cyan', 'hint:')} ${hint}`];
}

/** BuildKit's code frame: `Dockerfile:3`, a rule, the lines with `>>>` at those that failed. */
function frame({ file, range, source }: SourceLocation, paint: Painter): string[] {
  const lines = source.split(/\r?\n/);
  const first = range.start.line;
  // A range that ends at the start of a line does not include it.
  const last = Math.max(first, range.end.column === 0 ? range.end.line - 1 : range.end.line);
  const from = Math.max(1, first - CONTEXT_LINES);
  const to = Math.min(lines.length, last + CONTEXT_LINES);
  const shown = lines.slice(from - 1, to).flatMap((line, index) => {
    const number = from + index;
    const marker = number >= first && number <= last ? paint('red', '>>>') : '   ';
    const text = `${String(number).padStart(4)} | ${marker} ${clean(line)}`.trimEnd();
    const under = number === first ? underline(line, range) : '';
    return under === '' ? [text] : [text, `     |     ${paint('red', under)}`];
  });
  return [`${clean(file)}:${first}`, RULE, ...shown, RULE];
}

/** `^^^` below the part of a line that is meant; '' when that is all of it, or goes on in the next. */
function underline(line: string, { start, end }: SourceLocation['range']): string {
  const part = line.slice(start.column, end.column);
  if (start.line !== end.line || part.trim() === '' || part.trim() === line.trim()) return '';
  const before = clean(line.slice(0, start.column)).replaceAll(/[^\t]/gu, ' ');
  return before + '^'.repeat([...clean(part)].length);
}

function tail(output: string): string[] {
  return output === '' ? [] : output.replace(/\n$/, '').split('\n').slice(-OUTPUT_LINES);
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.stack ?? error.message;
  return error.cause === undefined ? own : `${own}\ncaused by: ${stackOf(error.cause)}`;
}

/**
 * Text that came from elsewhere made safe to print. Control characters go first, so that a stray `\r`
 * cannot split a password past the redaction.
 */
export function clean(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what it removes
  const controls = /[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/g;
  return redact(stripVTControlCharacters(text).replaceAll(controls, ''));
}

/** Hides credentials in URLs, in Authorization headers and in signed query strings. */
function redact(text: string): string {
  return text
    .replaceAll(/([a-z][a-z0-9+.-]*:\/\/)[^\s/@"']+@/gi, '$1***@')
    .replaceAll(/\b(basic|bearer) +[\w.~+/=-]{8,}/gi, '$1 ***')
    .replaceAll(
      /([?&][\w-]*(?:token|sig|signature|credential|secret|password)=)[^&\s"']+/gi,
      '$1***',
    );
}

type Painter = (color: 'red' | 'cyan', text: string) => string;

function painter(color: boolean): Painter {
  return color
    ? (name, text) => styleText(name, text, { validateStream: false })
    : (_, text) => text;
}
