/** Planned stages without a Dockerfile, for what only looks at the plan. */

import { parseLayerID } from '../../cache/index.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import type { ContainerConfig, History, ImageConfig } from '../../src/oci/image.ts';
import type { PlannedStage, StageBase, Step } from '../../src/plan/step.ts';
import type { BaseImage, Layer } from '../../src/solve/layer.ts';

export const LOCATION = {
  file: 'Dockerfile',
  range: { start: { line: 1, column: 0 }, end: { line: 1, column: 1 } },
  source: '',
};

/** What every step has. */
export function stepOf(history?: Omit<History, 'created'>) {
  return { location: LOCATION, name: 'step', history, ignoreCache: false };
}

export function configStep(text: string): Step<BaseImage> {
  return { kind: 'config', ...stepOf({ created_by: text, empty_layer: true }) };
}

export function workdirStep(path: string): Step<BaseImage> {
  return { kind: 'workdir', path, user: '', ...stepOf({ created_by: `WORKDIR ${path}` }) };
}

export function stageOf(
  steps: readonly Step<BaseImage>[],
  base: StageBase<BaseImage> = { kind: 'scratch' },
  config: ContainerConfig = {},
): PlannedStage<BaseImage> {
  return {
    index: 0,
    name: undefined,
    base,
    steps,
    args: [],
    platform: { os: 'linux', architecture: 'amd64' },
    config: { os: 'linux', architecture: 'amd64', config },
    location: LOCATION,
    fromName: undefined,
  };
}

/** An image with this history and as many layers, and otherwise nothing. */
export function imageOf(history: readonly History[], descriptor: Descriptor): BaseImage {
  const config: ImageConfig = {
    os: 'linux',
    architecture: 'amd64',
    created: '2001-01-01T00:00:00Z',
    config: {},
    rootfs: { type: 'layers', diff_ids: [] },
    history,
  };
  return {
    config,
    manifest: { schemaVersion: 2, config: descriptor, layers: [] },
    descriptor,
    layers: history.filter((entry) => !entry.empty_layer).map(() => LAYER),
  };
}

export const LAYER: Layer = {
  id: parseLayerID(`sha256:${'0'.repeat(64)}`),
  pulled: undefined,
};
