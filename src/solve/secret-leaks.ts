/** Where a secret would leave with an image besides its layers, and which instruction is to blame (T-55). Pure. */

import { hasCode, locate, type SourceLocation } from '../errors.ts';
import type { BuildPlan } from '../plan/step.ts';
import type { AssembledImage } from './assemble.ts';
import type { BaseImage } from './layer.ts';
import { type GuardedSecret, leaked, type SecretGuard } from './secret-guard.ts';
import type { SolvedStages } from './solve.ts';

/** A secret that the Dockerfile itself says. */
export interface WrittenSecret {
  readonly id: string;
  readonly location: SourceLocation;
}

/**
 * Looks through what an image says besides its layers. The history repeats commands: what stands in one
 * that the Dockerfile has in so many words is no news to who may read it, and only answered.
 * @throws ERR_SECRET_LEAKED
 */
export function checkDocuments(
  { config, manifest }: AssembledImage,
  plan: BuildPlan<BaseImage>,
  guard: SecretGuard,
): readonly WrittenSecret[] {
  const written = new Map<string, WrittenSecret>();
  for (const { id, bytes } of guard.secrets) {
    const text = bytes.toString('utf8');
    for (const [path, value] of textsOf({ config, manifest }, '')) {
      if (!value.includes(text)) continue;
      const location = instructionWith(text, plan);
      const isWritten = path.startsWith('.config.history[') && location?.source.includes(text);
      if (location === undefined || isWritten !== true) {
        throw leaked(id, path.slice(1), undefined, location);
      }
      written.set(id, { id, location });
    }
  }
  return [...written.values()];
}

/**
 * The same of what is attested about an image, which may repeat the Dockerfile.
 * @throws ERR_SECRET_LEAKED
 */
export function checkAttestation(
  predicate: object,
  {
    dockerfile,
    secrets,
  }: { readonly dockerfile: string; readonly secrets: readonly GuardedSecret[] },
): void {
  for (const { id, bytes } of secrets) {
    const text = bytes.toString('utf8');
    if (dockerfile.includes(text)) continue;
    for (const [path, value] of textsOf(predicate, '')) {
      if (value.includes(text)) throw leaked(id, `attestation: ${path.slice(1)}`, undefined);
    }
  }
}

/** Every text in a document, keys of objects too, with where it is. */
function* textsOf(value: unknown, path: string): Generator<readonly [string, string]> {
  if (typeof value === 'string') yield [path, value];
  if (typeof value !== 'object' || value === null) return;
  for (const [key, item] of Object.entries(value)) {
    const at = Array.isArray(value) ? `${path}[${key}]` : `${path}.${key}`;
    // Where a key is the secret, it must not be told.
    if (!Array.isArray(value)) yield [path, key];
    yield* textsOf(item, at);
  }
}

/** The instruction that says it in so many words. */
function instructionWith(
  text: string,
  { stages }: BuildPlan<BaseImage>,
): SourceLocation | undefined {
  const steps = stages.flatMap((stage) => stage.steps);
  return steps.find(({ history }) => history?.created_by?.includes(text))?.location;
}

/** A leak, with the instruction that made the layer in which it was found; other errors as they are. */
export function locateLeak(error: unknown, solved: SolvedStages): unknown {
  if (!hasCode(error, 'ERR_SECRET_LEAKED')) return error;
  const { layer } = error.details;
  for (const [stage, { steps }] of solved) {
    const number = steps.findIndex((step) => layer !== undefined && step.layer?.id === layer);
    const step = stage.steps[number];
    if (step !== undefined) return locate(error, step.location);
  }
  return error;
}
