/** What comes after solving: the images in each form that is wanted, the outputs, the answer. */

import { isAttested } from '../attest/requests.ts';
import { type ImageForm, nameOfOutput, type OutputSpec, writeOutput } from '../export/index.ts';
import { TsbuildError } from '../errors.ts';
import { type FinishedForm, finishImages } from './finish-image.ts';
import type { Finishing, Solved } from './finishing.ts';
import type { Attestor } from './attestor.ts';
import { formatReference, type Reference } from '../oci/reference.ts';
import type { BuildResult } from '../options.ts';
import type { StepReporter } from '../progress/progress.ts';
import { namesOf, pushOutput, rememberImage } from './push-output.ts';
import type { Request } from '../request.ts';
import { writeFiles } from './write-files.ts';

/**
 * Puts the images wherever they were asked for; the answer is about the first form. A form that several
 * outputs want is made once. @throws ERR_SECRET_LEAKED, ERR_OUTPUT_FAILED, ERR_REGISTRY_*, …
 */
export async function finish(solved: Solved, work: Finishing): Promise<BuildResult> {
  const { request, session, progress } = work;
  warnWithoutEpoch(work);
  const attestor = await attestorOf(solved, work);
  const forms = new Map<string, FinishedForm>();
  const finished = async (form: ImageForm): Promise<FinishedForm> => {
    const key = JSON.stringify(form);
    const naming = { names: namesIn(form, request), attestor };
    const known = forms.get(key) ?? (await finishImages(solved, form, { ...work, ...naming }));
    forms.set(key, known);
    return known;
  };
  const { result, platforms } = await finished(request.form);
  await rememberImage(result, session);
  // What fails most often comes last: the files are there then (T-25).
  for (const output of request.outputs.toSorted((a, b) => Number(isPush(a)) - Number(isPush(b)))) {
    const reporter = progress.start({ name: nameOfOutput(output), location: undefined });
    try {
      const form = 'form' in output ? await finished(output.form) : undefined;
      await write(output, { form, solved, reporter, attestor }, work);
      const detail = form?.result.descriptor.digest;
      reporter.end({ cached: false, ...(detail !== undefined && { detail }) });
    } catch (error) {
      reporter.fail(error instanceof TsbuildError ? error : undefined);
      throw error;
    }
  }
  const [first, ...others] = platforms;
  if (first === undefined) throw new TypeError('No platform is planned');
  const { descriptor } = result;
  return {
    digest: descriptor.digest,
    descriptor,
    config: others.length === 0 ? first.config : undefined,
    configDigest: others.length === 0 ? first.configDigest : undefined,
    platforms: [first, ...others],
    names: namesOf(request, descriptor.digest),
    steps: progress.reports,
  };
}

async function write(
  output: OutputSpec,
  {
    form,
    solved,
    reporter,
    attestor,
  }: {
    readonly form: FinishedForm | undefined;
    readonly solved: Solved;
    readonly reporter: StepReporter;
    readonly attestor: Attestor | undefined;
  },
  work: Finishing,
): Promise<void> {
  const { options, session, epoch: ofBuild, signal } = work;
  if (output.kind === 'local' || output.kind === 'tar')
    await writeFiles(output, solved, { work, attestor });
  if (form === undefined || !('form' in output)) return;
  if (output.kind === 'image') {
    await pushOutput(output, form.result, { session, signal, status: reporter.status });
    return;
  }
  await rememberImage({ ...form.result, names: output.names }, session);
  const layers = form.result.images.flatMap(({ blobs }) => blobs);
  await Promise.all(layers.map(async ({ fetch }) => await fetch?.(signal)));
  const epoch = output.form.epoch ?? ofBuild;
  const created = epoch === undefined ? undefined : new Date(epoch * 1000);
  const { DOCKER_HOST, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH } = options.environment ?? {};
  const certificates = (DOCKER_TLS_VERIFY && DOCKER_CERT_PATH) || undefined;
  const engine = { address: DOCKER_HOST || undefined, certificates };
  await writeOutput(output, form.result, { created, signal, stdout: options.stdout, engine });
}

/** Loaded when something is to be attested. */
async function attestorOf(solved: Solved, work: Finishing): Promise<Attestor | undefined> {
  if (!isAttested(work.request.attest)) return undefined;
  const { Attestor } = await import('./attestor.ts');
  return new Attestor(solved, work);
}

/** The names of an image in all outputs that want this form of it. */
function namesIn(form: ImageForm, { names, outputs }: Request): readonly Reference[] {
  const key = JSON.stringify(form);
  const own = outputs.flatMap((output) =>
    'form' in output && JSON.stringify(output.form) === key ? output.names : [],
  );
  const all = [...names, ...own].map((name) => [formatReference(name), name] as const);
  return [...new Map(all).values()];
}

function isPush(output: OutputSpec): boolean {
  return output.kind === 'image' && output.push;
}

/** REP-1: it is asked for what cannot be done. */
function warnWithoutEpoch({ request, epoch, progress }: Finishing): void {
  const isMissing = request.outputs.some(
    (output) =>
      'form' in output &&
      output.form.rewriteTimestamp &&
      (output.form.epoch ?? epoch) === undefined,
  );
  if (!isMissing) return;
  progress.notice('warning', 'rewrite-timestamp has no effect without SOURCE_DATE_EPOCH');
}
