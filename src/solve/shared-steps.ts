/** What the plans for several platforms have in common: the same step on the same layers is one step. Pure. */

import type { BuildPlan, PlannedStage, Step } from '../plan/step.ts';
import type { Announced } from '../progress/progress.ts';
import type { BaseImage } from './layer.ts';

/** For each FROM and each step what stands for it: the first that is equal, itself mostly. */
export interface SharedSteps {
  readonly froms: ReadonlyMap<PlannedStage<BaseImage>, Announced>;
  /** Without those that only change the config. */
  readonly steps: ReadonlyMap<Step<BaseImage>, Step<BaseImage>>;
}

/** Finds steps with the same name and the same inputs on top of the same. Of one plan none are shared. */
export function shareSteps(plans: readonly BuildPlan<BaseImage>[]): SharedSteps {
  const froms = new Map<PlannedStage<BaseImage>, Announced>();
  const steps = new Map<Step<BaseImage>, Step<BaseImage>>();
  const [firstFroms, firstSteps] = [new Firsts<Announced>(), new Firsts<Step<BaseImage>>()];
  const ends = new Map<PlannedStage<BaseImage>, string>();
  const isShared = plans.length > 1;
  for (const stage of plans.flatMap((plan) => plan.stages)) {
    let below = isShared ? identityOfBase(stage, ends) : '';
    if (stage.fromName !== undefined) {
      const from = { name: stage.fromName, location: stage.location };
      froms.set(stage, isShared ? firstFroms.find(`${below} ${from.name}`, from).value : from);
    }
    for (const step of stage.steps) {
      if (step.kind === 'config') continue;
      const text = isShared ? `${below} ${identityOfStep(step, ends)}` : '';
      const first = isShared ? firstSteps.find(text, step) : { value: step, number: 0 };
      steps.set(step, first.value);
      below = `step ${first.number}`;
    }
    ends.set(stage, below);
  }
  return { froms, steps };
}

/** The first of equals, with its number among all that are not equal. */
class Firsts<T> {
  readonly #known = new Map<string, { readonly value: T; readonly number: number }>();

  find(identity: string, own: T): { readonly value: T; readonly number: number } {
    const first = this.#known.get(identity) ?? { value: own, number: this.#known.size };
    this.#known.set(identity, first);
    return first;
  }
}

/** What every stage that was looked at comes to. */
type Ends = ReadonlyMap<PlannedStage<BaseImage>, string>;

function identityOfBase({ base }: PlannedStage<BaseImage>, ends: Ends): string {
  switch (base.kind) {
    case 'scratch':
      return 'scratch';
    case 'image':
      return `image ${base.image.descriptor.digest}`;
    case 'stage':
      return ends.get(base.stage) ?? '';
  }
}

/** What a step takes files from in short. Where it stands does not matter: the name says that. */
function identityOfStep(step: Step<BaseImage>, ends: Ends): string {
  return JSON.stringify(step, (key, value: unknown) => {
    switch (key) {
      case 'stage':
        return ends.get(value as PlannedStage<BaseImage>);
      case 'image':
        return (value as BaseImage).descriptor.digest;
      case 'location':
        return undefined;
      default:
        return value;
    }
  });
}
