/** An ordinary user without sub-ids: Debian's own tools change users and owners, and the layers have them right. */

import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AccountKind, withAccount, whyNoAccount } from '../support/accounts.ts';
import type { BaseLayout } from '../support/debian.ts';
import { type ImageFile, readImage } from '../support/layout-files.ts';
import { itUnless, missing } from '../support/missing.ts';
import { cachedDebian } from '../support/test-cache.ts';

/** Packages with users, groups and set-ID programs of their own; what people do in their images. */
const DOCKERFILE = `FROM base
RUN apt-get update
RUN apt-get install -y --no-install-recommends openssh-client cron sudo
RUN useradd --create-home --shell /bin/bash app && groupadd --gid 5000 shared \\
    && usermod --append --groups shared,sudo app && adduser --disabled-password --gecos '' bob \\
    && echo 'app ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/app
RUN mkdir -p /srv/app/log && ln -s log /srv/app/current && chown -R app:shared /srv/app \\
    && chmod g+s /srv/app/log && install -o bob -g shared -m 640 /etc/hostname /srv/app/log/one \\
    && cp -a /srv/app /srv/copy && tar -C /srv -cf - app | tar -C /home/bob -xpf - \\
    && su app -c 'touch ~/by-su' && runuser -u bob -- touch /home/bob/by-runuser \\
    && setpriv --reuid bob --regid bob --init-groups touch /home/bob/by-setpriv
USER app
RUN touch /srv/app/log/two ~/three && sudo touch /srv/app/log/four && sudo -u bob touch /tmp/five
USER root
RUN apt-get download hello && dpkg -i hello_*.deb && rm hello_*.deb && apt-get purge -y cron && deluser bob
`;

/** Written anew by each build, or not at all, as the time has it. */
const UNSTABLE = /^(var\/cache\/(apt|debconf|ldconfig)|var\/lib\/(apt|sudo)|var\/log)\//;

const why = whyNoAccount('root') ?? missing('mmdebstrap', 'setpriv', 'unshare') ?? undefined;

describe('with one id', function () {
  this.timeout(300_000);

  itUnless(why)('packages are installed and users made as root would', async () => {
    const debian = await cachedDebian();
    const root = await ownersOf('root', debian);
    const user = await ownersOf('user', debian);
    assert.deepEqual(user, root);
    assert.equal(user['usr/bin/ssh-agent']?.mode, '2755');
    assert.match(user['usr/bin/ssh-agent']?.owner ?? '', /^0:10[0-9]$/);
    assert.equal(user['srv/app/log/two']?.owner, '1000:5000');
    assert.equal(user['srv/app/log/four']?.owner, '0:5000');
    assert.equal(user['home/bob/app/current']?.owner, '1000:5000');
  });
});

/** What there is after a build, without what is in it: packages write times into their files. */
async function ownersOf(
  kind: AccountKind,
  debian: BaseLayout,
): Promise<Readonly<Record<string, Omit<ImageFile, 'sha256' | 'xattrs'>>>> {
  return await withAccount(
    kind,
    async (account) => {
      const context = join(account.home, 'context');
      await mkdir(context);
      await writeFile(join(context, 'Dockerfile'), DOCKERFILE);
      const layout = join(account.home, 'image');
      const flags = ['--build-context', `base=oci-layout://${debian.folder}`];
      const built = await account.tsbuild([
        ...flags,
        ...['-o', `type=oci,tar=false,dest=${layout}`, context],
      ]);
      assert.equal(built.code, 0, built.stderr);
      const { files } = await readImage(layout);
      const stable = Object.entries(files).filter(([path]) => !UNSTABLE.test(path));
      return Object.fromEntries(
        stable.map(([path, { type, mode, owner, target = '', device = '', sameAs = '' }]) => [
          path,
          { type, mode, owner, target, device, sameAs },
        ]),
      );
    },
    { subids: false },
  );
}
