/**
 * A place where builds are ended, one after the other, while other lanes do the same: a store, a context and an
 * output of its own. Whatever ended a build, the lane looks for what is left.
 */

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { BuildOptions } from '../../../src/index.ts';
import type { Account, Started } from '../../support/accounts.ts';
import { checkLayout } from '../../support/check.ts';
import { descendants } from '../../support/sandbox.ts';
import type { BuildAnswer } from './driver.ts';
import { EPOCH, writeLane } from './lane-context.ts';
import {
  controlGroups,
  controlGroupsLeft,
  mountsOf,
  processesLeft,
  storeFaults,
} from './leftovers.ts';
import { type Driver, startDriver } from './start-driver.ts';

/** How long a killed build's processes may take to be gone: the kernel's doing, on a machine that is busy. */
const PATIENCE = 30_000;
const VARIABLE = 'TSBUILD_TEST_LANE';
const LIMITS = { memory: 256 << 20, pids: 200 } as const;

export interface LaneOptions {
  readonly account: Account;
  readonly name: string;
  /** Whether RUNs have a network of their own. */
  readonly isPrivate: boolean;
}

export class Lane {
  /** Milliseconds of a build with an empty store, and of one by the command. */
  duration = 0;
  commandDuration = 0;

  readonly #account: Account;
  readonly #folder: string;
  readonly #group: string;
  readonly #isPrivate: boolean;
  readonly #driver: Driver;
  readonly #mounts: readonly string[];
  /** What any build must come to, and how many descriptors it may leave open. */
  #expected = '';
  #descriptors = 0;

  private constructor(
    { account, name, isPrivate }: LaneOptions,
    driver: Driver,
    mounts: readonly string[],
  ) {
    this.#account = account;
    this.#folder = folderOf(account, name);
    this.#group = `tsbuild-test-${process.pid}-${name}`;
    this.#isPrivate = isPrivate;
    this.#driver = driver;
    this.#mounts = mounts;
  }

  /** Writes the context, and builds with nothing in the way; close it when done. */
  static async open(options: LaneOptions): Promise<Lane> {
    const { account, name } = options;
    const folder = folderOf(account, name);
    await mkdir(join(folder, 'output'), { recursive: true });
    await writeLane(folder, `${VARIABLE}=${folder}`);
    await account.own(folder);
    const driver = await startDriver(account, { folder, env: { [VARIABLE]: folder } });
    const lane = new Lane(options, driver, await mountsOf(driver.pid, folder));
    await lane.#learn();
    return lane;
  }

  async close(): Promise<void> {
    await this.#driver.close();
    for (const path of await controlGroups(this.#group)) await rmdir(path);
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Takes away all that builds have kept. */
  async empty(): Promise<void> {
    await rm(this.#path('store'), { recursive: true, force: true });
  }

  /** Aborts a build after some time; undefined when the build was faster. */
  async abort(after: number, noCache: boolean): Promise<BuildAnswer | undefined> {
    const answer = await this.#ask({ noCache }, after);
    if (answer.kind === 'failed') assert.fail(answer.message);
    await this.assertClean();
    return answer.kind === 'aborted' ? answer : undefined;
  }

  /** Kills one of a build's helpers after some time; false when there was none, or the build did not need it. */
  async killHelper(after: number): Promise<boolean> {
    const answering = this.#ask({});
    await setTimeout(after);
    const helpers = await this.#helpers();
    const helper = helpers[Math.floor(after) % helpers.length];
    if (helper !== undefined) kill(helper);
    const answer = await answering;
    // Its control groups have nobody who could remove them before the next build.
    await this.assertClean({ groups: helper === undefined });
    if (answer.kind === 'built') return false;
    assert.equal(
      answer.kind === 'failed' && answer.code,
      'ERR_HELPER_FAILED',
      JSON.stringify(answer),
    );
    return true;
  }

  /** Kills the command that builds after some time; false when it was faster. */
  async killBuilder(after: number): Promise<boolean> {
    const started = await this.#startCommand();
    const isOver = started.outcome.then(() => true);
    // Once it is over, its id may be somebody else's.
    if (!(await Promise.race([setTimeout(after, false), isOver]))) kill(started.pid);
    const { code } = await started.outcome;
    const deadline = performance.now() + PATIENCE;
    while ((await this.#processes()).length > 0 && performance.now() < deadline)
      await setTimeout(10);
    assert.deepEqual(await this.#processes(), [], 'processes');
    await this.#assertNoMounts();
    return code === null;
  }

  /** Builds, with nothing in the way, on what is there. */
  async assertBuilds(): Promise<void> {
    const answer = await this.#ask({});
    assert.equal(answer.kind === 'built' && answer.digest, this.#expected, JSON.stringify(answer));
    await this.assertClean();
  }

  /** Fails if a build has left anything. */
  async assertClean({ groups } = { groups: true }): Promise<void> {
    assert.deepEqual(await this.#processes(), [], 'processes');
    await this.#assertNoMounts();
    if (groups) assert.deepEqual(await controlGroupsLeft(this.#group), [], 'control groups');
    assert.deepEqual(await storeFaults(this.#path('store')), [], 'the store');
    assert.deepEqual(await readdir(join(this.#account.home, 'tmp')), [], 'temporary files');
    const outputs = await readdir(this.#path('output'));
    assert.deepEqual(
      outputs.filter((name) => name !== 'image'),
      [],
      'parts of an output',
    );
    if (outputs.length > 0) await this.#assertOutput();
  }

  /** How long a build takes, and what it is. The first one waits for code that the others have. */
  async #learn(): Promise<void> {
    for (const _ of ['cold', 'warm']) {
      await this.empty();
      const answer = await this.#ask({});
      if (answer.kind !== 'built') assert.fail(JSON.stringify(answer));
      assert.ok(['', answer.digest].includes(this.#expected), 'each build is another image');
      this.#expected = answer.digest;
      this.#descriptors = answer.descriptors;
      this.duration = answer.took;
    }
    await this.empty();
    const began = performance.now();
    const { code, stderr } = await (await this.#startCommand()).outcome;
    assert.equal(code, 0, stderr);
    this.commandDuration = performance.now() - began;
    await this.assertClean();
  }

  async #ask(options: Partial<BuildOptions>, abortAfter?: number): Promise<BuildAnswer> {
    await rm(this.#path('output/image'), { recursive: true, force: true });
    const answer = await this.#driver.ask({
      options: {
        context: this.#path('context'),
        store: this.#path('store'),
        buildContexts: { base: this.#base },
        outputs: [this.#output],
        ssh: { default: [this.#path('key')] },
        network: this.#isPrivate ? 'private' : 'host',
        resources: LIMITS,
        cgroupParent: this.#group,
        sourceDateEpoch: EPOCH,
        ...options,
      },
      secret: await readFile(this.#path('secret'), 'utf8'),
      ...(abortAfter !== undefined && { abortAfter }),
    });
    assert.deepEqual(answer.kept, [], 'listeners, timers, children');
    assert.ok(answer.descriptors <= this.#descriptors || this.#descriptors === 0, 'open files');
    return answer;
  }

  /** The same build by the command. */
  async #startCommand(): Promise<Started> {
    await rm(this.#path('output/image'), { recursive: true, force: true });
    const flags = {
      'build-context': `base=${this.#base}`,
      output: this.#output,
      secret: `id=secret,src=${this.#path('secret')}`,
      ssh: `default=${this.#path('key')}`,
      network: this.#isPrivate ? 'private' : 'host',
      memory: LIMITS.memory,
      'pids-limit': LIMITS.pids,
      'cgroup-parent': this.#group,
    };
    const words = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    return this.#account.start([...words, this.#path('context')], {
      [VARIABLE]: this.#folder,
      TSBUILD_STORE: this.#path('store'),
      SOURCE_DATE_EPOCH: `${EPOCH}`,
    });
  }

  get #base(): string {
    return `oci-layout://${this.#account.home}/busybox`;
  }

  get #output(): string {
    return `type=oci,tar=false,dest=${this.#path('output/image')}`;
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }

  /** The processes that serve the driver, not what they run. */
  async #helpers(): Promise<readonly number[]> {
    const found: number[] = [];
    for (const pid of await descendants(this.#driver.pid)) {
      const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      if (words.split('\0')[1] === 'serve') found.push(pid);
    }
    return found;
  }

  async #processes(): Promise<readonly string[]> {
    const marker = `${VARIABLE}=${this.#folder}`;
    const known = [this.#driver.pid, process.pid];
    return await processesLeft({ marker, folder: this.#folder, known });
  }

  async #assertNoMounts(): Promise<void> {
    assert.deepEqual(await mountsOf(this.#driver.pid, this.#folder), this.#mounts, 'mounts');
    assert.deepEqual(await mountsOf('self', this.#folder), [], 'mounts of the machine');
  }

  /** The image is whole, and it is the right one. */
  async #assertOutput(): Promise<void> {
    const [entry] = await checkLayout(this.#path('output/image'));
    assert.ok(['', entry?.digest].includes(this.#expected), 'another image');
  }
}

function folderOf(account: Account, name: string): string {
  return join(account.home, `lane-${name}`);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It was faster, and has ended.
  }
}
