/** Secrets of a RUN: where they are, and that they cannot leave (RUN-20, RUN-21, T-54, T-55). */

import assert from 'node:assert/strict';
import { access, chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Outcome } from '../support/accounts.ts';
import { itUnless } from '../support/missing.ts';
import { EMPTY_LAYER, type RunBuilds } from '../support/run-builds.ts';
import { RUNGS } from '../support/rungs.ts';

const SECRET = 'hush-hush-5b1e77';
const MOUNT = '--mount=type=secret,id=key';
/** Writes the secret behind 300 kB, across the ends of what is read at once. */
const FAR = 'dd if=/dev/zero bs=262136 count=1 of=/far 2> /dev/null; cat /run/secrets/key >> /far';

/** Dockerfiles that give a secret away: where it is found, and by which line. */
const LEAKS: readonly (readonly [title: string, steps: string, where: RegExp, line: number])[] = [
  ['a file', `RUN ${MOUNT} mkdir /d && cp /run/secrets/key /d/f`, /"\/d\/f" of a layer/, 2],
  ['a part of a large file', `RUN true\nRUN ${MOUNT} ${FAR}`, /"\/far" of a layer/, 3],
  ['a symlink', `RUN ${MOUNT} ln -s $(cat /run/secrets/key) /link`, /"\/link" of a layer/, 2],
  [
    'the file of the context',
    `COPY token /app/\nRUN ${MOUNT} true`,
    /"\/app\/token" of a layer/,
    2,
  ],
  [
    'a stage below',
    `RUN ${MOUNT} cp /run/secrets/key /f\nFROM one\nRUN true`,
    /"\/f" of a layer/,
    2,
  ],
  ['the history', `ARG TOKEN\nRUN ${MOUNT} true`, /history\[\d+\]\.created_by/, 2],
  ['the environment', `ENV A=${SECRET}\nRUN ${MOUNT} true`, /config\.Env\[\d\]|created_by/, 2],
];

for (const { title, whyNot, open } of RUNGS) {
  const test = itUnless(whyNot);

  describe(`a secret ${title}`, function () {
    this.timeout(120_000);

    let builds: RunBuilds;
    let given = '';

    before(async () => {
      if (whyNot !== undefined) return;
      builds = await open();
      const token = join(builds.context, 'token');
      await writeFile(token, `${SECRET}\n`);
      await chmod(token, 0o644);
      given = `--secret=id=key,src=${token}`;
    });
    after(async () => {
      if (whyNot === undefined) await builds.account.close();
    });

    const assertLeak = async (outcome: Outcome, where: RegExp, line: number): Promise<void> => {
      assert.equal(outcome.code, 1, outcome.stderr);
      assert.match(outcome.stderr, /the secret "key" is in .* \[ERR_SECRET_LEAKED\]/);
      assert.match(outcome.stderr, where);
      assert.match(outcome.stderr, new RegExp(`^Dockerfile:${line}$`, 'm'));
      await assert.rejects(access(join(builds.account.home, 'image')), { code: 'ENOENT' });
    };

    for (const [where, steps, pattern, line] of LEAKS) {
      test(`that is in ${where} fails the build, now and the next time (T-55)`, async () => {
        const flags = where === 'the history' ? [`--build-arg=TOKEN=${SECRET}`] : [];
        for (let time = 0; time < 2; time++) {
          const outcome = await builds.attempt(`FROM base AS one\n${steps}\n`, given, ...flags);
          await assertLeak(outcome, pattern, line);
          // But for the lines of the Dockerfile itself.
          if (where !== 'the environment') assert.ok(!outcome.stderr.includes(SECRET));
        }
      });
    }

    test('may be in a stage that is only copied from, and where it is let go', async () => {
      const write = `RUN ${MOUNT} cp /run/secrets/key /f`;
      await builds.build(`FROM base AS one\n${write}\nFROM base\nCOPY --from=one /etc /x\n`, given);
      const { last } = await builds.build(`FROM base\n${write}\n`, `${given},guard=off`);
      assert.equal(last['f']?.type, 'file');
    });

    test('that the Dockerfile has in a command is warned of: its history says nothing new', async () => {
      const outcome = await builds.attempt(
        `FROM base\nRUN ${MOUNT} test "$(cat /run/secrets/key)" = ${SECRET}\n`,
        given,
      );
      assert.equal(outcome.code, 0, outcome.stderr);
      assert.match(outcome.stderr, /^WARNING: The secret "key" is in the Dockerfile itself/m);
    });

    test('that was in a layer once is not in an image of a build that knows nothing of it', async () => {
      const leak = `FROM base\nRUN ${MOUNT} cat /run/secrets/key > /leak; echo ran\n`;
      await assertLeak(await builds.attempt(leak, given), /"\/leak"/, 2);
      assert.ok((await builds.build(leak)).lines.includes('ran'));
      assert.deepEqual((await builds.build(leak)).lines, []);
    });

    test('of fewer than eight bytes is not looked for', async () => {
      await writeFile(join(builds.context, 'short'), 'seven77');
      const { lines } = await builds.build(
        `FROM base\nRUN ${MOUNT} cat /run/secrets/key > /f; cat /f\n`,
        `--secret=id=key,src=${builds.context}/short`,
      );
      assert.deepEqual(lines, ['seven77']);
    });

    test('is masked in output, however it is cut, and in what a failure tells', async () => {
      const halves = `printf hush-; sleep 0; printf 'hush-5b1e77 and hush-hush-5b1e7'; echo; cat /run/secrets/key >&2; exit 3`;
      const outcome = await builds.attempt(`FROM base\nRUN ${MOUNT} ${halves}\n`, given);
      assert.equal(outcome.code, 1);
      assert.match(outcome.stderr, /\*\*\* and hush-hush-5b1e7$/m);
      assert.ok(!outcome.stderr.replaceAll(halves, '').includes(SECRET), outcome.stderr);
    });

    test('is a file in memory that cannot be changed, or run, or be a device (RUN-20)', async () => {
      const { lines, diffIDs } = await builds.build(
        `FROM base
RUN ${MOUNT} --mount=type=secret,id=key,target=/run/x,mode=0755 grep -E " /run/(secrets/key|x) " /proc/mounts; (echo x >> /run/secrets/key) 2> /dev/null || echo refused; rm /run/secrets/key 2> /dev/null || echo busy
`,
        given,
      );
      const mounts = lines.slice(0, 2).map((line) => line.split(' '));
      assert.deepEqual(
        mounts.map(([, target, type]) => [target, type]),
        [
          ['/run/secrets/key', 'tmpfs'],
          ['/run/x', 'tmpfs'],
        ],
      );
      const flags = mounts.map(([, , , options = '']) => options.split(','));
      for (const flag of ['ro', 'nosuid', 'nodev']) {
        assert.ok(
          flags.every((each) => each.includes(flag)),
          flag,
        );
      }
      assert.deepEqual(
        flags.map((each) => each.includes('noexec')),
        [true, false],
      );
      assert.deepEqual(lines.slice(-2), ['refused', 'busy']);
      assert.equal(diffIDs.at(-1), EMPTY_LAYER);
    });

    test('is in the environment in place of what else has its name, once (EX-9)', async () => {
      const { lines } = await builds.build(
        `FROM base\nENV KEY=image\nRUN ${MOUNT},env=KEY ["env"]\nRUN echo "$KEY"; test ! -e /run/secrets && echo none\n`,
        given,
      );
      assert.deepEqual(
        lines.filter((line) => line.startsWith('KEY=')),
        ['KEY=***'],
      );
      assert.deepEqual(lines.slice(-2), ['image', 'none']);
    });

    test('is nowhere in the store after a build that used it well', async () => {
      const { account } = builds;
      const own = `just-for-this-${account.kind}-build`;
      await writeFile(join(builds.context, 'token2'), own);
      await builds.build(
        `FROM base\nRUN ${MOUNT},target=/token,env=KEY test "$KEY" = "$(cat /token)"\n`,
        `--secret=id=key,src=${builds.context}/token2,cache=rotate`,
      );
      const found = await account.run('grep', ['-r', '-l', own, join(account.home, 'store')]);
      assert.equal(found.stdout, '');
    });

    test('that rotates runs its steps again when its value is another (T-54, CR-8)', async () => {
      const file = join(builds.context, 'rotating');
      const ran = async (value: string, cache = ''): Promise<boolean> => {
        await writeFile(file, value);
        const flag = `--secret=id=key,src=${file}${cache}`;
        return (await builds.build(`FROM base\nRUN ${MOUNT} echo ran\n`, flag)).lines.length > 0;
      };
      const rotate = ',cache=rotate';
      assert.deepEqual(
        [
          await ran('value one', rotate),
          await ran('value one', rotate),
          await ran('value two', rotate),
          await ran('value one', rotate),
        ],
        [true, false, true, false],
      );
      assert.deepEqual([await ran('value one'), await ran('value two')], [true, false]);
    });

    test('that is required and missing fails the build, another is not there (RUN-20)', async () => {
      const { code, stderr } = await builds.attempt(`FROM base\nRUN ${MOUNT},required true\n`);
      assert.equal(code, 2);
      assert.match(stderr, /Cannot mount secret key: not found \[ERR_SECRET_MISSING\]/);
      const { lines } = await builds.build(
        `FROM base\nRUN ${MOUNT},env=KEY test ! -e /run/secrets/key && echo "[$KEY]"\n`,
      );
      assert.deepEqual(lines, ['[]']);
    });
  });
}
