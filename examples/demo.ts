/**
 * npm run demo: builds examples/quickstart into an OCI layout, from a base image that is made on the
 * spot. Everything it writes is below .demo/, or another folder: `npm run demo -- FOLDER`.
 */

import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildResult, build, plainProgress, TsbuildError } from '../src/index.ts';
import { buildBaseImage } from './base-image.ts';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const FOLDER = resolve(process.argv[2] ?? join(ROOT, '.demo'));
const BASE = join(FOLDER, 'base');
const IMAGE = join(FOLDER, 'image');

const controller = new AbortController();
process.once('SIGINT', () => controller.abort(new Error('Interrupted')));
try {
  await demo(controller.signal);
} catch (error) {
  if (!(error instanceof TsbuildError)) throw error;
  const hint = error.hint === undefined ? '' : `\nhint: ${error.hint}`;
  process.stderr.write(`\nThe demo failed: ${error.message} [${error.code}]${hint}\n`);
  process.exitCode = 1;
}

async function demo(signal: AbortSignal): Promise<void> {
  const options = { store: join(FOLDER, 'store'), signal, onEvent: plainProgress(print) };
  print("A base image, out of this machine's own shell and coreutils:\n\n");
  const base = await buildBaseImage(BASE, options);

  print('\nexamples/quickstart, from that base:\n\n');
  const began = performance.now();
  const image = await build({
    ...options,
    onEvent: plainProgress(print),
    context: join(ROOT, 'examples/quickstart'),
    buildContexts: { base: `oci-layout://${BASE}` },
    outputs: [`type=oci,tar=false,dest=${IMAGE}`],
    tags: ['quickstart:latest'],
  });
  const seconds = ((performance.now() - began) / 1000).toFixed(2);
  print(`\nBuilt in ${seconds} s (${cachedOf([base, image])} steps came from the cache).\n`);
  print(whatNext(image.digest));
}

function cachedOf(results: readonly BuildResult[]): string {
  // Of the Dockerfiles' own steps, "[build 2/4] …": an export is done each time.
  const steps = results
    .flatMap((result) => result.steps)
    .filter(({ name }) => name.startsWith('['));
  return `${steps.filter((step) => step.cached).length} of ${steps.length}`;
}

function whatNext(digest: string): string {
  const image = relative(process.cwd(), IMAGE) || '.';
  const base = relative(process.cwd(), BASE);
  return `
Image   ${digest}
Layout  ${image}

Look at it with the tools you have:
  skopeo inspect oci:${image}:latest
  umoci unpack --rootless --image ${image}:latest /tmp/quickstart
  podman run --rm oci:${image}:latest

Try next:
  npm run demo                     again: every step is CACHED
  edit examples/quickstart/words.txt, and see which steps run anew
  node dist/cli.js examples/quickstart --build-context base=oci-layout://${base} \\
    -o type=oci,dest=quickstart.tar
`;
}

function print(text: string): void {
  process.stdout.write(text);
}
