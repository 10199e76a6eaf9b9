/** Dockerfile text → AST, and the meaning of its words. Pure: no files, no network, runs in a browser. */

export type * from './ast.ts';
export { type Device, parseDevice } from './device.ts';
export { detectSyntax } from './directives.ts';
export {
  parseDockerfile,
  parseDockerfileWithErrors,
  parseInstruction,
  type ParseResult,
} from './dockerfile.ts';
export { type ExpandOptions, expandWord, expandWords } from './expand.ts';
export { isSecretFile } from './lint/beyond/secret-files.ts';
export { lintConfigOf, readSkips } from './lint/config.ts';
export { applyFixes, type FixedText } from './lint/fix.ts';
export { lint } from './lint/lint.ts';
export type {
  BaseImageFacts,
  Edit,
  Fix,
  Level,
  LintConfig,
  LintOptions,
  LintWarning,
} from './lint/options.ts';
export {
  type BindMount,
  type CacheMount,
  type Mount,
  type MountOptions,
  parseMount,
  type SecretMount,
  type SshMount,
  type TmpfsMount,
} from './mount.ts';
export { parsePorts } from './ports.ts';
export { print } from './print.ts';
