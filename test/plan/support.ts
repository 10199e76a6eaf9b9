/** What tests of the plan share: a Dockerfile's text in, its plan out. */

import { parseDockerfile } from '../../parser/index.ts';
import type { ContainerConfig, ImageConfig } from '../../src/oci/image.ts';
import type { Platform } from '../../src/oci/platform.ts';
import type { BaseImage, PlanOptions } from '../../src/plan/options.ts';
import { planBuild } from '../../src/plan/plan.ts';
import type { BuildPlan, CopyStep, RunStep, Step } from '../../src/plan/step.ts';

export const AMD64: Platform = { os: 'linux', architecture: 'amd64' };
export const ARM64: Platform = { os: 'linux', architecture: 'arm64' };
export const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export type Options = Partial<PlanOptions<BaseImage>> & {
  /** Configs of images by full reference; others are empty. */
  readonly images?: Readonly<Record<string, ContainerConfig>>;
};

export function image(config: ContainerConfig = {}, platform: Platform = AMD64): BaseImage {
  return {
    config: {
      ...platform,
      config,
      rootfs: { type: 'layers', diff_ids: [] },
      history: [],
    } satisfies ImageConfig,
  };
}

export async function plan(text: string, options: Options = {}): Promise<BuildPlan<BaseImage>> {
  const { images = {}, ...rest } = options;
  return planBuild<BaseImage>(parseDockerfile(text), {
    buildArgs: {},
    platform: AMD64,
    buildPlatform: AMD64,
    network: 'default',
    namedContexts: new Map(),
    resolveImage: async (reference, platform) => image(images[reference], platform),
    ...rest,
  });
}

/** The target's config after the last instruction. */
export async function configOf(text: string, options?: Options): Promise<ContainerConfig> {
  return (await plan(text, options)).target.config.config;
}

/** The history texts of the target's steps. */
export async function historyOf(
  text: string,
  options?: Options,
): Promise<readonly (string | undefined)[]> {
  const { target } = await plan(text, options);
  return target.steps.flatMap(({ history }) => (history === undefined ? [] : [history.created_by]));
}

export async function stepsOf(
  text: string,
  options?: Options,
): Promise<readonly Step<BaseImage>[]> {
  return (await plan(text, options)).target.steps;
}

/** The last RUN of the target. */
export async function runOf(text: string, options?: Options): Promise<RunStep<BaseImage>> {
  const found = (await stepsOf(text, options)).findLast((step) => step.kind === 'run');
  if (found === undefined) throw new Error('no RUN');
  return found;
}

/** The last COPY or ADD of the target. */
export async function copyOf(text: string, options?: Options): Promise<CopyStep<BaseImage>> {
  const found = (await stepsOf(text, options)).findLast((step) => step.kind === 'copy');
  if (found === undefined) throw new Error('no COPY');
  return found;
}
