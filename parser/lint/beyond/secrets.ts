/** Checks for what must not be in an image: credentials in the text, files that usually hold some. */

import type { AddInstruction, CopyInstruction, Instruction } from '../../ast.ts';
import type { BeyondChecks, BeyondStage } from './context.ts';
import { OWN_RULES } from './rules.ts';
import { isSecretFile } from './secret-files.ts';

/** The ARGs above the first FROM. */
export function checkGlobalSecrets({ dockerfile, ...checks }: BeyondChecks): void {
  for (const instruction of dockerfile.instructions) {
    if (instruction.kind === 'from') return;
    checkText(instruction, instruction, { dockerfile, ...checks });
  }
}

/** Looks at the instructions of a stage. */
export function checkSecrets({ stage, triggers }: BeyondStage, checks: BeyondChecks): void {
  for (const instruction of stage.instructions) {
    if (instruction.kind !== 'onbuild') checkOne(instruction, instruction, checks);
  }
  for (const { at, instruction } of triggers) checkOne(at, instruction, checks);
}

function checkOne(at: Instruction, instruction: Instruction, checks: BeyondChecks): void {
  checkText(at, instruction, checks);
  if (instruction.kind === 'copy' || instruction.kind === 'add') {
    checkFiles(at, instruction, checks);
  }
}

/** Forms that nothing but a credential has. */
const CREDENTIALS: readonly (readonly [string, RegExp])[] = [
  ['an AWS access key', /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/],
  ['a GitHub token', /\b(?:gh[opsur]_[A-Za-z0-9]{36,}|github_pat_\w{40,})/],
  ['a GitLab token', /\bglpat-[\w-]{20,}/],
  ['an npm token', /\bnpm_[A-Za-z0-9]{36}\b/],
  ['a PyPI token', /\bpypi-[\w-]{50,}/],
  ['a Slack token', /\bxox[abprs]-\d[\w-]{10,}/],
  ['a Stripe key', /\b[rs]k_live_[A-Za-z0-9]{16,}/],
  ['a Google API key', /\bAIza[\w-]{35}(?![\w-])/],
  ['an API key', /\bsk-(?:ant|proj)-[\w-]{20,}/],
  ['a signed token', /\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}/],
  ['a private key', /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/],
];

function checkText(at: Instruction, instruction: Instruction, { reporter }: BeyondChecks): void {
  const text = [instruction.text, ...bodiesOf(instruction)].join('\n');
  const found = CREDENTIALS.find(([, pattern]) => {
    const [match] = pattern.exec(text) ?? [];
    return match !== undefined && !/example|xxxx|0000|1234567/i.test(match);
  });
  const what =
    found?.[0] ?? (hasPassword(instruction, text) ? 'a password in an address' : undefined);
  if (what === undefined) return;
  reporter.at(at)(OWN_RULES.CredentialInDockerfile, instruction.keyword, what);
}

function bodiesOf(instruction: Instruction): readonly string[] {
  if (instruction.kind === 'run') return instruction.heredocs.map(({ content }) => content);
  if (instruction.kind !== 'copy' && instruction.kind !== 'add') return [];
  return instruction.sources.map((source) => (source.kind === 'heredoc' ? source.content : ''));
}

/** What people write where a password would be, and services that are only for the build. */
const PLACEHOLDER =
  /^(?:pass(?:w(?:or)?d)?|pw|secret|token|change-?me|example|test|x+|\*+|<.*|.*[${}%\\].*)$/i;
const LOCAL = /^(?:localhost|127\.0\.0\.1|\[::1\]|.*\bexample\b.*)$/i;

function hasPassword({ kind }: Instruction, text: string): boolean {
  if (kind !== 'arg' && kind !== 'env' && kind !== 'run') return false;
  for (const match of text.matchAll(
    /\b[a-z][a-z0-9+.-]{1,20}:\/\/([^\s:/@"']{1,100}):([^\s/@"']{1,200})@([\w.[\]:-]{1,255})/gi,
  )) {
    const [, user = '', password = '', host = ''] = match;
    const name = host.replace(/:\d+$/, '');
    if (password !== user && !PLACEHOLDER.test(password) && !LOCAL.test(name)) return true;
  }
  return false;
}

function checkFiles(
  at: Instruction,
  instruction: CopyInstruction | AddInstruction,
  { reporter, options }: BeyondChecks,
): void {
  // Another stage's or image's files are not the user's.
  if (instruction.kind === 'copy' && instruction.from !== undefined) return;
  for (const source of instruction.sources) {
    if (source.kind !== 'path' || /^\w+:\/\//.test(source.text)) continue;
    const path = source.text.replace(/^["']|["']$/g, '').replace(/\/+$/, '');
    if (!isSecretFile(path) || options.dockerignore?.matches(path) === true) continue;
    reporter.at(at)(OWN_RULES.SecretFileCopied, instruction.keyword, path);
  }
}
