/**
 * A check as SARIF 2.1.0, which code scanning of GitHub and others read. Columns count UTF-16 code
 * units, as ours do, but from 1.
 */

import type { CheckResult, LintWarning, SourceRange, TsbuildError, UnseenImage } from '../index.ts';
import { jsonText } from './json-text.ts';
import { lineHashes } from './line-hashes.ts';
import { clean } from './report.ts';

interface SarifOptions {
  /** The Dockerfile's, relative to the root of the sources, %-encoded. */
  readonly uri: string;
  /** Ours. */
  readonly version: string;
}

/** Warnings and everything that would fail a build, each a result; ends with a newline. */
export function checkSarif(result: CheckResult, { uri, version }: SarifOptions): string {
  const { warnings, error, source } = result;
  const errors = error === undefined ? [] : [error, ...error.others];
  const findings = [...errors.map(errorFinding), ...warnings.map(warningFinding)];
  const rules = rulesOf(findings);
  const indexes = new Map(rules.map(({ id }, index) => [id, index]));
  const hashes = lineHashes(source);
  return jsonText({
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'tsbuild', version, semanticVersion: version, rules } },
        invocations: [
          {
            executionSuccessful: true,
            toolExecutionNotifications: result.unseenImages.map((each) => notification(each, uri)),
          },
        ],
        columnKind: 'utf16CodeUnits',
        results: findings.map((finding) => ({
          ruleId: finding.rule.id,
          ruleIndex: indexes.get(finding.rule.id),
          level: finding.level,
          message: { text: finding.message },
          locations: [{ physicalLocation: { ...artifact(uri), region: regionOf(finding.range) } }],
          partialFingerprints: {
            primaryLocationLineHash: hashes[finding.range.start.line - 1] ?? hashes.at(-1),
          },
          fixes: finding.fix && [sarifFix(finding.fix, uri)],
        })),
      },
    ],
  });
}

/** What was not looked at is no result: nothing is wrong with the Dockerfile. */
function notification({ reason }: UnseenImage, uri: string): object {
  const { code, message, hint, location } = reason;
  return {
    descriptor: { id: code },
    level: 'note',
    message: { text: clean(hint === undefined ? message : `${message}. ${hint}`) },
    locations: location && [
      { physicalLocation: { ...artifact(uri), region: regionOf(location.range) } },
    ],
  };
}

/** One result, wherever it came from. */
interface Finding {
  readonly rule: {
    readonly id: string;
    readonly description: string;
    readonly url: string | undefined;
  };
  readonly level: 'error' | 'warning' | 'note';
  readonly message: string;
  readonly range: SourceRange;
  readonly fix: LintWarning['fix'];
}

function warningFinding({
  rule,
  description,
  url,
  level,
  message,
  range,
  fix,
}: LintWarning): Finding {
  return { rule: { id: rule, description, url }, level, message: clean(message), range, fix };
}

/** What is not about a line, such as a registry that does not answer, is about the first. */
function errorFinding({ code, message, hint, location }: TsbuildError): Finding {
  const start = { line: 1, column: 0 };
  return {
    rule: { id: code, description: ERRORS.get(code) ?? 'A build would fail', url: undefined },
    level: 'error',
    message: clean(hint === undefined ? message : `${message}. ${hint}`),
    range: location?.range ?? { start, end: start },
    fix: undefined,
  };
}

/** The two that a Dockerfile alone can cause; of the others the message says enough. */
const ERRORS: ReadonlyMap<string, string> = new Map([
  ['ERR_PARSE', 'The Dockerfile is not well formed'],
  ['ERR_INSTRUCTION_INVALID', 'The Dockerfile is well formed, but does not describe a build'],
]);

interface SarifRule {
  readonly id: string;
  readonly name: string;
  readonly shortDescription: { readonly text: string };
  readonly fullDescription: { readonly text: string };
  readonly helpUri?: string;
  readonly help: { readonly text: string; readonly markdown?: string };
  readonly defaultConfiguration: { readonly level: Finding['level'] };
}

/** Those that were found, in the order in which they were. */
function rulesOf(findings: readonly Finding[]): readonly SarifRule[] {
  const rules = new Map<string, SarifRule>();
  for (const { rule, level } of findings) {
    const { id, description, url } = rule;
    if (rules.has(id)) continue;
    const isAddress = url !== undefined && /^https?:\/\//.test(url);
    rules.set(id, {
      id,
      name: id,
      shortDescription: { text: description },
      fullDescription: { text: description },
      ...(isAddress && { helpUri: url }),
      help: {
        text: url === undefined ? description : `${description}. See ${url}`,
        ...(isAddress && { markdown: `${description}. [More](${url})` }),
      },
      defaultConfiguration: { level },
    });
  }
  return [...rules.values()];
}

function artifact(uri: string): object {
  return { artifactLocation: { uri } };
}

interface Region {
  readonly startLine: number;
  readonly startColumn: number;
  readonly endLine: number;
  readonly endColumn: number;
}

function regionOf({ start, end }: SourceRange): Region {
  return {
    startLine: start.line,
    startColumn: start.column + 1,
    endLine: end.line,
    endColumn: end.column + 1,
  };
}

function sarifFix({ description, edits }: NonNullable<LintWarning['fix']>, uri: string): object {
  const replacements = edits.map(({ range, text }) => ({
    deletedRegion: regionOf(range),
    insertedContent: { text },
  }));
  return {
    description: { text: description },
    artifactChanges: [{ ...artifact(uri), replacements }],
  };
}
