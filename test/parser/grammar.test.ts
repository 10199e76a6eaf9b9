import assert from 'node:assert/strict';
import { parseDockerfile, parseMount } from '../../parser/index.ts';
import { hasCode } from '../../src/errors.ts';
import { lastInStage } from './last-instruction.ts';

function rejects(text: string, problem: string): void {
  assert.throws(
    () => parseDockerfile(`FROM x\n${text}`),
    (error) => hasCode(error, 'ERR_INSTRUCTION_INVALID') && error.message.includes(problem),
    text,
  );
}

describe('parseDockerfile(): words', () => {
  it('LEX-9: splits words at tabs, vertical tabs, form feeds and spaces, and at nothing else', () => {
    const copy = lastInStage('COPY\ta\v\fb \t c\u00a0d e/', 'copy');
    assert.deepEqual(
      copy.sources.map((source) => source.kind === 'path' && source.text),
      ['a', 'b', 'c\u00a0d'],
    );
    assert.equal(copy.destination, 'e/');
  });

  it('LEX-11: keeps comments, continuations and heredoc bodies out of the text', () => {
    const run = lastInStage('RUN a \\\n# no\n  <<E\nbody\nE\n', 'run');
    assert.equal(run.text, 'RUN a   <<E');
  });

  it('DIR-8: keeps the comment above an instruction, for the checks it skips', () => {
    const { leadingComments } = lastInStage('# check=skip=JSONArgsRecommended\nCMD a', 'cmd');
    assert.deepEqual(
      leadingComments.map(({ text }) => text),
      [' check=skip=JSONArgsRecommended'],
    );
  });
});

describe('parseDockerfile(): forms', () => {
  it('FORM-4: takes flag names in lower case only, and values as they are', () => {
    rejects('COPY --From=a b c', 'unknown flag: --From');
    rejects('COPY --LINK a b', 'unknown flag: --LINK');
    assert.equal(lastInStage('COPY --from=A=b,C b c', 'copy').from, 'A=b,C');
  });

  it('FORM-6: takes a JSON array where one may be', () => {
    const exec = { form: 'exec', argv: ['a b', '$c'] };
    const json = '["a b", "$c"]';
    assert.deepEqual(lastInStage(`RUN ${json}`, 'run').command, exec);
    assert.deepEqual(lastInStage(`CMD ${json}`, 'cmd').command, exec);
    assert.deepEqual(lastInStage(`ENTRYPOINT ${json}`, 'entrypoint').command, exec);
    assert.deepEqual(lastInStage(`HEALTHCHECK CMD ${json}`, 'healthcheck').command, exec);
    assert.deepEqual(lastInStage(`SHELL ${json}`, 'shell').argv, exec.argv);
    assert.deepEqual(lastInStage(`VOLUME ${json}`, 'volume').paths, exec.argv);
    assert.equal(lastInStage(`COPY ${json}`, 'copy').destination, '$c');
    assert.equal(lastInStage(`ADD ${json}`, 'add').destination, '$c');
  });

  it('FORM-6: takes it for words elsewhere', () => {
    assert.equal(lastInStage('USER ["a"]', 'user').value, '["a"]');
    assert.equal(lastInStage('WORKDIR ["a"]', 'workdir').value, '["a"]');
    assert.deepEqual(
      lastInStage('EXPOSE ["1"]', 'expose').ports.map(({ text }) => text),
      ['["1"]'],
    );
  });

  it('FORM-8: keeps the white space of shell form, continuations joined', () => {
    const { command } = lastInStage("RUN  a   'b  c' \\\n\t && d", 'run');
    assert.deepEqual(command, { form: 'shell', line: "a   'b  c' \t && d" });
  });

  it('CMD-1, CMD-3: takes CMD and ENTRYPOINT in both forms, also empty', () => {
    assert.deepEqual(lastInStage('CMD []', 'cmd').command, { form: 'exec', argv: [] });
    assert.deepEqual(lastInStage('ENTRYPOINT', 'entrypoint').command, { form: 'shell', line: '' });
  });
});

describe('parseDockerfile(): what is left for the stage to say', () => {
  it('VAR-7, VAR-8: keeps variables as written, in words, flags, keys and defaults', () => {
    const { instructions } = parseDockerfile(
      'ARG a=$b\nFROM --platform=$p $i:${t:-x}\nADD --checksum=$c --chown=$u $s $d\nENV $k=$v\nUSER $u\n',
    );
    const [arg, from, add, env, user] = instructions;
    assert.ok(arg?.kind === 'arg' && from?.kind === 'from' && add?.kind === 'add');
    assert.ok(env?.kind === 'env' && user?.kind === 'user');
    assert.equal(arg.args[0]?.default, '$b');
    assert.deepEqual([from.platform, from.image.text], ['$p', '$i:${t:-x}']);
    assert.deepEqual([add.checksum, add.chown, add.destination], ['$c', '$u', '$d']);
    assert.deepEqual([env.pairs[0]?.name, env.pairs[0]?.value, user.value], ['$k', '$v', '$u']);
  });

  it('CP-13, CP-14, CP-15, CP-16, CP-17: reads every flag of COPY', () => {
    const copy = lastInStage(
      'COPY --from=s --chown=1:g --chmod=u+x,go-w --link --parents=true --exclude=*.md --exclude=!a a b',
      'copy',
    );
    assert.deepEqual(
      [copy.from, copy.chown, copy.chmod, copy.link, copy.parents, copy.exclude],
      ['s', '1:g', 'u+x,go-w', true, true, ['*.md', '!a']],
    );
  });

  it('CP-21, CP-22, CP-24, CP-25: reads every flag of ADD', () => {
    const add = lastInStage(
      'ADD --keep-git-dir --checksum=sha256:1 --unpack=false --link=false a b',
      'add',
    );
    assert.deepEqual(
      [add.keepGitDir, add.checksum, add.unpack, add.link],
      [true, 'sha256:1', false, false],
    );
  });

  it('CP-27: reads what other builders do not, and leaves variables in flags as they are', () => {
    assert.equal(lastInStage('COPY --from=$stage a b', 'copy').from, '$stage');
    assert.equal(lastInStage('ADD --unpack a b', 'add').unpack, true);
    const run = lastInStage('RUN --security=sandbox --device=vendor.com/class=a b', 'run');
    assert.deepEqual([run.security, run.devices], ['sandbox', ['vendor.com/class=a']]);
  });

  it('ENV-2, ENV-5: keeps quotes and escapes; MAINTAINER is the rest of its line', () => {
    const { pairs } = lastInStage('ENV a="x\\ y" b=x\\ y', 'env');
    assert.deepEqual(
      pairs.map(({ value }) => value),
      ['"x\\ y"', 'x\\ y'],
    );
    assert.equal(lastInStage('MAINTAINER  A B <a@b>', 'maintainer').name, 'A B <a@b>');
    rejects('MAINTAINER', 'MAINTAINER requires exactly one argument');
  });

  it('META-4, META-6: takes the rest of the line for one argument, and needs it', () => {
    assert.equal(lastInStage('USER a:b', 'user').value, 'a:b');
    assert.equal(lastInStage('WORKDIR /a b', 'workdir').value, '/a b');
    rejects('USER', 'USER requires exactly one argument');
    rejects('WORKDIR', 'WORKDIR requires exactly one argument');
  });
});

describe('parseDockerfile(): heredocs', () => {
  it('HD-3: keeps bodies raw, CRLF too, and ends them in spite of it', () => {
    const source = 'FROM x\nRUN <<E\r\n# a \\\r\n\r\n$b\r\nE\r\nUSER c';
    const [, heredoc, user] = parseDockerfile(source).instructions;
    assert.equal(user?.kind, 'user');
    assert.equal(heredoc?.kind === 'run' && heredoc.heredocs[0]?.content, '# a \\\r\n\r\n$b\r\n');
  });

  it('RUN-6, HD-4, HD-5: tells the line from its bodies, with and without a command', () => {
    const alone = lastInStage('RUN <<E\n#!/bin/sh\nE', 'run');
    assert.deepEqual(alone.command, { form: 'shell', line: '<<E' });
    const piped = lastInStage('RUN cat <<A - <<B\na\nA\nb\nB', 'run');
    assert.deepEqual(piped.command, { form: 'shell', line: 'cat <<A - <<B' });
    assert.deepEqual(
      piped.heredocs.map(({ content }) => content),
      ['a\n', 'b\n'],
    );
  });

  it('HD-1: finds none in JSON form, in quotes, or in other instructions', () => {
    assert.deepEqual(lastInStage('RUN ["a", "<<E"]', 'run').heredocs, []);
    assert.deepEqual(lastInStage('RUN echo "<<E"', 'run').heredocs, []);
    assert.deepEqual(lastInStage('CMD cat <<E', 'cmd').command, { form: 'shell', line: 'cat <<E' });
  });
});

describe('parseMount(): keys', () => {
  it('RUN-11: knows which type has which key', () => {
    for (const [text, problem] of [
      ['type=bind,target=/x,required', "unexpected key 'required'"],
      ['type=cache,target=/x,size=1m', "unexpected key 'size'"],
      ['type=bind,target=/x,sharing=shared', 'invalid cache sharing set for bind mount'],
      ['type=tmpfs,target=/x,uid=1', 'uid not allowed for "tmpfs" type mounts'],
      ['type=secret,id=a,from=b', 'secret mount should not have a from'],
    ] as const) {
      assert.throws(
        () => parseMount(text),
        (error) => hasCode(error, 'ERR_INSTRUCTION_INVALID') && error.message.includes(problem),
        text,
      );
    }
  });

  it('RUN-13: takes a relative target as it is: it is joined where WORKDIR is known', () => {
    assert.equal(parseMount('type=cache,target=a/b').target, 'a/b');
  });

  it('RUN-1, RUN-2: keeps network and security of each RUN', () => {
    const run = lastInStage(
      'RUN --network=none --security=insecure --mount=type=tmpfs,target=/t a',
      'run',
    );
    assert.deepEqual([run.network, run.security], ['none', 'insecure']);
    assert.deepEqual(run.mounts, ['type=tmpfs,target=/t']);
  });
});
