/** The SBOM of an image that real package managers have made, against what they say themselves (ATT-10). */

import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Statement } from '../support/attestations.ts';
import { openAccount, whyNoAccount } from '../support/accounts.ts';
import { startDockerRegistry } from '../support/docker-registry.ts';
import { machineAccess } from '../support/machine-access.ts';
import { itUnless, missing } from '../support/missing.ts';
import { checkSpdx, type SpdxDocument } from '../support/spdx.ts';
import { cachedDebian } from '../support/test-cache.ts';

const whyNot = whyNoAccount('user') ?? missing('mmdebstrap', 'docker-registry', 'skopeo');

/** A package of rpm's, in a database of its own; one of pip's, from Debian. */
const DOCKERFILE = `ARG BASE
FROM $BASE
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
RUN apt-get update && apt-get install -y --no-install-recommends rpm python3-six
COPY <<EOF /b/t.spec
Name: tiny
Version: 1.5
Release: 2
Epoch: 3
Summary: s
License: GPLv2+
BuildArch: noarch
%description
d
%files
EOF
RUN rpmbuild -bb --define '_topdir /b' /b/t.spec && rpm -i --nodeps --dbpath /var/lib/rpm /b/RPMS/noarch/*.rpm
RUN dpkg-query -W -f '\${Package} \${Version}\\n' > /list
`;

describe('the SBOM of a Debian', function () {
  this.timeout(300_000);

  itUnless(whyNot)('has what dpkg, rpm and pip say, by a user with sub-ids', async () => {
    const account = await openAccount('user', { subids: true });
    const registry = await startDockerRegistry(account.home);
    try {
      const base = await registry.push(await cachedDebian());
      const context = join(account.home, 'context');
      await mkdir(context);
      await writeFile(join(context, 'Dockerfile'), DOCKERFILE);
      const out = join(account.home, 'out');
      const { code, stderr } = await account.tsbuild([
        ...['--sbom=true', '--build-arg', `BASE=${base}`, '-o', out],
        ...(await machineAccess(account.home)),
        context,
      ]);
      assert.equal(code, 0, stderr);
      const text = await readFile(join(out, 'sbom.spdx.json'), 'utf8');
      const document = (JSON.parse(text) as Statement).predicate as SpdxDocument;
      checkSpdx(document);
      const found = document.packages.map(({ name, versionInfo, externalRefs }) => ({
        text: `${name} ${versionInfo}`,
        purl: externalRefs?.[0]?.referenceLocator ?? '',
      }));
      const listed = await readFile(join(out, 'list'), 'utf8');
      assert.deepEqual(
        found.flatMap(({ text, purl }) => (purl.startsWith('pkg:deb/') ? [text] : [])).toSorted(),
        listed.trim().split('\n').toSorted(),
      );
      const others = found.map(({ purl }) => purl).filter((purl) => /^pkg:(?!deb\/)/.test(purl));
      assert.deepEqual(others, [
        'pkg:pypi/six@1.16.0',
        'pkg:rpm/debian/tiny@1.5-2?arch=noarch&distro=debian-12&epoch=3&upstream=tiny-1.5-2.src.rpm',
      ]);
    } finally {
      await registry.close();
      await account.close();
    }
  });
});
