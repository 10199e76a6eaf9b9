/** The outputs that options ask for, and the names of the image. */

import { TsbuildError } from './errors.ts';
import {
  checkAnnotations,
  type ImageForm,
  type LocalOutput,
  type OutputSpec,
  parseAnnotation,
  parseOutput,
  USUAL_FORM,
} from './export/index.ts';
import type { Platform } from './oci/platform.ts';
import { parseReference, parseRepository, type Reference } from './oci/reference.ts';
import type { BuildOptions, RegistryOutputOptions } from './options.ts';

/** What BuildKit calls the permission. */
const DELETE = 'buildx.local.delete';

export interface Outputs {
  readonly outputs: readonly OutputSpec[];
  readonly names: readonly Reference[];
  /** Of the image that the answer is about: what the first output that is one wants. */
  readonly form: ImageForm;
}

/** @throws ERR_USAGE, ERR_UNSUPPORTED, ERR_REFERENCE_INVALID, ERR_PLATFORM_INVALID */
export function readOutputs(
  options: BuildOptions,
  built: {
    readonly platforms: readonly Platform[];
    readonly isIndex: boolean;
    readonly isAttested?: boolean;
  },
): Outputs {
  const { outputs: given = [], tags = [], push = false, load = false } = options;
  const annotations = (options.annotations ?? []).flatMap(parseAnnotation);
  const parse = (text: string): OutputSpec => parseOutput(text, annotations);
  const asked = given.map((output) => parse(textOf(output)));
  const pushed = push ? withPush(asked, parse) : asked;
  const asImages = load ? withLoad(pushed, parse) : pushed;
  const outputs = built.isAttested ? asImages.map(inOciTypes) : asImages;
  const names = tags.map(parseReference);
  checkTogether(outputs, built);
  for (const output of outputs) {
    if (output.kind === 'local') checkDelete(output, options);
    if (output.kind !== 'image' || !output.push) continue;
    if (output.pushByDigest) for (const tag of tags) parseRepository(tag);
    if (names.length === 0 && output.names.length === 0) throw nameless();
  }
  const forms = outputs.flatMap((output) => ('form' in output ? [output.form] : []));
  const [form = unasked(outputs, { names, annotations })] = forms;
  // What is attested is an index, too.
  const isIndex = built.isIndex || built.isAttested === true;
  for (const each of [form, ...forms]) checkAnnotations(each.annotations, { ...built, isIndex });
  return { outputs, names, form };
}

/** Of an image that no output is. Where only its files are wanted and it has no name, nothing is compressed. */
function unasked(
  outputs: readonly OutputSpec[],
  {
    names,
    annotations,
  }: { readonly names: readonly Reference[]; readonly annotations: ImageForm['annotations'] },
): ImageForm {
  const isOfUse = outputs.length === 0 || names.length > 0;
  return { ...USUAL_FORM, annotations, compression: isOfUse ? USUAL_FORM.compression : 'none' };
}

/** As buildx: `--push` is for the outputs that are images, and is one where there is none. */
function withPush(
  outputs: readonly OutputSpec[],
  parse: (text: string) => OutputSpec,
): readonly OutputSpec[] {
  const pushed = outputs.map((output) =>
    output.kind === 'image' ? { ...output, push: true } : output,
  );
  if (pushed.some(({ kind }) => kind === 'image')) return pushed;
  return [...pushed, parse('type=registry')];
}

/** As buildx: `--load` is an output into the engine, unless there is one. */
function withLoad(
  outputs: readonly OutputSpec[],
  parse: (text: string) => OutputSpec,
): readonly OutputSpec[] {
  const isThere = outputs.some((each) => each.kind === 'docker' && each.destination === undefined);
  return isThere ? outputs : [...outputs, parse('type=docker')];
}

/** What would be found only when all is built. */
function checkTogether(
  outputs: readonly OutputSpec[],
  { platforms, isIndex }: { readonly platforms: readonly Platform[]; readonly isIndex: boolean },
): void {
  const isStdout = (output: OutputSpec): boolean =>
    'destination' in output && output.destination === '-';
  if (outputs.filter(isStdout).length > 1) {
    throw usage(
      'Cannot write two outputs to the standard output',
      'Give one of them a file: dest=FILE.',
    );
  }
  for (const output of outputs) {
    if (output.kind === 'docker' && isIndex) {
      throw usage(
        'docker exporter does not currently support exporting manifest lists',
        'Build for one platform, or use type=oci, which keeps them all.',
      );
    }
    const isMixed = 'platformSplit' in output && output.platformSplit === false;
    if (isMixed && platforms.length > 1) {
      throw usage(
        'Cannot write the files of several platforms into one directory',
        'Leave platform-split=false out: each platform gets a folder of its own.',
      );
    }
  }
}

/** Docker's names have none for attestations: OCI's are taken, as BuildKit does. @throws ERR_USAGE for docker's archive */
function inOciTypes(output: OutputSpec): OutputSpec {
  if (!('form' in output)) return output;
  if (output.kind === 'docker') {
    throw new TsbuildError('ERR_USAGE', {
      message: 'docker exporter does not currently support exporting manifest lists',
      details: undefined,
      hint: 'An image with attestations is one: leave them out for this output, or use type=oci.',
    });
  }
  return { ...output, form: { ...output.form, mediaTypes: 'oci' } };
}

/** LOC-1: what deletes files that the build did not make must be allowed. */
function checkDelete({ mode }: LocalOutput, { allow = [] }: BuildOptions): void {
  if (mode !== 'delete' || allow.includes(DELETE)) return;
  throw usage(
    'Cannot use mode=delete: it deletes what is in the directory and not in the image',
    `Allow it with "--allow ${DELETE}".`,
  );
}

function textOf(output: string | RegistryOutputOptions): string {
  if (typeof output === 'string') return output;
  const { type, names = [], pushByDigest = false, insecure = false } = output;
  const flags = `push-by-digest=${pushByDigest},registry.insecure=${insecure}`;
  return `type=${type},"name=${names.join(',').replaceAll('"', '""')}",${flags}`;
}

function nameless(): TsbuildError {
  return usage(
    'Cannot push an image without a name: tag is needed when pushing to registry',
    'Name it, e.g. with "-t registry.example/app:1".',
  );
}

function usage(message: string, hint: string): TsbuildError {
  return new TsbuildError('ERR_USAGE', { message, details: undefined, hint });
}
