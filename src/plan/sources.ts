/** Images and named contexts: what FROM, `--from` and mounts can name besides stages (FROM-9). */

import { hasCode, locate, type SourceLocation, suggest } from '../errors.ts';
import { formatAll, parsePlatform, type Platform } from '../oci/platform.ts';
import { familiarName, formatReference, parseReference } from '../oci/reference.ts';
import { withHint } from './failures.ts';
import type { BaseImage, NamedContext, PlanOptions } from './options.ts';

/** Something outside the Dockerfile that files or a config come from. */
export type Source =
  | { readonly kind: 'scratch' }
  | { readonly kind: 'directory'; readonly name: string }
  | { readonly kind: 'image'; readonly reference: string; readonly context: string | undefined };

/** Finds sources by name, and resolves each image once. */
export class Sources<Image extends BaseImage> {
  readonly #options: PlanOptions<Image>;
  readonly #contexts: ReadonlyMap<string, readonly [name: string, context: NamedContext<Image>]>;
  readonly #images = new Map<string, Promise<Image>>();
  readonly #stageNames: readonly string[];

  constructor(options: PlanOptions<Image>, stageNames: readonly string[]) {
    this.#options = options;
    this.#stageNames = stageNames;
    this.#contexts = new Map(
      [...options.namedContexts].map(([name, context]) => [
        variantKey(name, options.buildPlatform),
        [name, context],
      ]),
    );
  }

  /**
   * The named context that takes the place of a stage or an image with this name: the one for the
   * platform (the target's, unless said), else the one for all (CTX-6).
   */
  context(name: string, platform: Platform = this.#options.platform): Source | undefined {
    if (RESERVED.includes(name.toLowerCase())) return undefined;
    const plain = contextKey(name);
    const variant = `${plain}::${formatAll(platform)}`;
    const key = this.#contexts.has(variant) ? variant : plain;
    const found = this.#contexts.get(key);
    if (found === undefined) return undefined;
    const [given, context] = found;
    switch (context.kind) {
      case 'directory':
        return { kind: 'directory', name: given };
      case 'scratch':
        return { kind: 'scratch' };
      case 'image':
        return { kind: 'image', reference: context.reference, context: key };
    }
  }

  /** What a name that is no stage's means. @throws ERR_REFERENCE_INVALID */
  find(name: string, platform?: Platform): Source {
    if (name === 'scratch') return { kind: 'scratch' };
    const context = this.context(name, platform);
    if (context !== undefined) return context;
    return { kind: 'image', reference: this.#parse(name), context: undefined };
  }

  /** The image, resolved once for each platform. Failures are located at the first who asked. */
  resolve(
    source: Extract<Source, { kind: 'image' }>,
    platform: Platform,
    location: SourceLocation,
  ): Promise<Image> {
    const name = source.context === undefined ? source.reference : `context:${source.context}`;
    const key = `${name} ${formatAll(platform)}`;
    const known = this.#images.get(key);
    if (known !== undefined) return known;
    const image = this.#ask(source, platform, location);
    // Whoever needs it will see the failure; until then it must not end the process.
    image.catch(() => undefined);
    this.#images.set(key, image);
    return image;
  }

  /** Settles when no resolution is under way any more. Never fails. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#images.values());
  }

  async #ask(
    source: Extract<Source, { kind: 'image' }>,
    platform: Platform,
    location: SourceLocation,
  ): Promise<Image> {
    try {
      const named = source.context === undefined ? undefined : this.#contexts.get(source.context);
      if (named?.[1].kind === 'image') return await named[1].resolve(platform, location);
      return await this.#options.resolveImage(source.reference, platform, location);
    } catch (error) {
      const { reference } = source;
      const failure = locate(this.#withStageHint(error, reference), location);
      const standIn = this.#options.standIn?.(failure, { reference, platform });
      if (standIn === undefined) throw failure;
      return standIn;
    }
  }

  #parse(name: string): string {
    try {
      return formatReference(parseReference(name));
    } catch (error) {
      if (CONTEXT_ONLY.test(name)) throw withHint(error, contextHint(name));
      throw this.#withStageHint(error, name);
    }
  }

  /** A name that no registry knows is often a stage's, misspelt. */
  #withStageHint(error: unknown, name: string): unknown {
    const isUnknown =
      hasCode(error, 'ERR_IMAGE_NOT_FOUND') ||
      hasCode(error, 'ERR_REGISTRY_DENIED') ||
      hasCode(error, 'ERR_REGISTRY_UNREACHABLE') ||
      hasCode(error, 'ERR_REFERENCE_INVALID');
    const short = name.replace(/^docker\.io\/library\//, '').replace(/:latest$/, '');
    const stage = isUnknown ? suggest(short, this.#stageNames) : undefined;
    return stage === undefined ? error : withHint(error, `Did you mean the stage "${stage}"?`);
  }
}

/** Places that a named context can have, and a FROM cannot (FROM-15). */
const CONTEXT_ONLY = /^(?:docker-image|oci-layout):\/\//;

function contextHint(name: string): string {
  return `Give it a name with "--build-context NAME=${name}", and use the name here.`;
}

const RESERVED = ['scratch', 'context'];

/** `NAME::PLATFORM` is for one platform alone. */
function variantKey(name: string, host: Platform): string {
  const [, plain, platform] = /^(.+?)::(.+)$/.exec(name) ?? [];
  if (plain === undefined || platform === undefined) return contextKey(name);
  return `${contextKey(plain)}::${formatAll(parsePlatform(platform, host))}`;
}

/** `alpine`, `alpine:latest` and `docker.io/library/alpine` are one name (CTX-6). */
function contextKey(name: string): string {
  try {
    return familiarName(parseReference(name)).replace(/:latest$/, '');
  } catch {
    // A stage's name or a context's need not be an image's.
    return name.toLowerCase();
  }
}
