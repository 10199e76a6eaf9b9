import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Finding } from '../../src/doctor/finding.ts';
import { networkFindings } from '../../src/doctor/network-findings.ts';
import { registryFindings } from '../../src/doctor/registry-findings.ts';
import { withDirectory } from '../support/temporary.ts';

const SECRET = 'hunter2';

/** Ids and texts, with the directory left out of them. */
function told(findings: readonly Finding[], directory: string): Record<string, string> {
  assert.doesNotMatch(JSON.stringify(findings), new RegExp(SECRET));
  assert.equal(new Set(findings.map(({ id }) => id)).size, findings.length, 'ids are unique');
  return Object.fromEntries(
    findings.map(({ id, status, text }) => [
      id.replaceAll(directory, ''),
      `${status}: ${text.replaceAll(directory, '')}`,
    ]),
  );
}

describe('registryFindings()', () => {
  it('tells the file of each login, mirror, insecure registry and certificate, and no secret (T-28)', async () => {
    await withDirectory(async (directory) => {
      const auth = Buffer.from(`ann:${SECRET}`).toString('base64');
      const files = {
        'docker/config.json': JSON.stringify({
          auths: { 'a.example': { auth }, 'b.example': {} },
          credHelpers: { 'c.example': 'nowhere' },
        }),
        'auth.json': JSON.stringify({
          auths: { 'a.example': { auth }, 'd.example/team': { auth } },
        }),
        'etc/containers/registries.conf': `
          [[registry]]
          location = "docker.io"
          [[registry.mirror]]
          location = "m.example"
          [[registry]]
          location = "old.example"
          insecure = true
          [[registry]]
          location = "bad.example"
          blocked = true`,
        'etc/docker/daemon.json': JSON.stringify({
          'registry-mirrors': ['https://hub.example'],
          'insecure-registries': ['10.0.0.0/8'],
        }),
        'etc/docker/certs.d/r.example:5000/ca.crt': 'PEM',
      };
      for (const [name, text] of Object.entries(files)) {
        await mkdir(dirname(join(directory, name)), { recursive: true });
        await writeFile(join(directory, name), text);
      }
      const findings = await registryFindings({
        environment: { REGISTRY_AUTH_FILE: join(directory, 'auth.json'), PATH: '' },
        dockerConfig: join(directory, 'docker'),
        system: join(directory, 'etc'),
        insecureRegistries: [],
      });
      const conf = '/etc/containers/registries.conf';
      assert.deepEqual(told(findings, directory), {
        'credentials.a.example': 'ok: a.example: password from /auth.json (REGISTRY_AUTH_FILE)',
        'credentials.d.example/team':
          'ok: d.example/team: password from /auth.json (REGISTRY_AUTH_FILE)',
        'credentials.a.example@/docker/config.json':
          'info: a.example: password from /docker/config.json, which is not used',
        'credentials.b.example':
          'warn: b.example: an entry without credentials in /docker/config.json',
        'credentials.c.example':
          'warn: c.example: docker-credential-nowhere, named in /docker/config.json, is not in PATH: anonymous',
        'mirrors.docker.io': `ok: docker.io: m.example, then docker.io, by ${conf}`,
        'mirrors.docker.io@/etc/docker/daemon.json':
          'ok: docker.io: https://hub.example/, then docker.io, by /etc/docker/daemon.json',
        'mirrors.bad.example': `warn: bad.example: blocked by ${conf}`,
        'insecure.old.example': `info: old.example: plain HTTP or any certificate will do, by ${conf}`,
        'insecure.10.0.0.0/8':
          'info: 10.0.0.0/8: plain HTTP or any certificate will do, by /etc/docker/daemon.json',
        'certs.r.example:5000':
          'ok: r.example:5000: more authorities: 1, by /etc/docker/certs.d/r.example:5000',
      });
    });
  });

  it('tells where it has looked when there is nothing, and which file is broken', async () => {
    await withDirectory(async (directory) => {
      const none = await registryFindings({ dockerConfig: directory });
      assert.deepEqual(told(none, directory), {
        credentials: 'info: credentials: none in /config.json',
        mirrors: 'info: mirrors: none',
      });
      await writeFile(join(directory, 'config.json'), `{"auths": "${SECRET}`);
      await mkdir(join(directory, 'containers'));
      await writeFile(join(directory, 'containers/registries.conf'), `a = ${SECRET}`);
      const broken = await registryFindings({ dockerConfig: directory, system: directory });
      assert.deepEqual(told(broken, directory), {
        'credentials.error': 'no: Cannot read the registry credentials in "/config.json"',
        mirrors: 'no: Cannot read the registry settings in "/containers/registries.conf"',
      });
    });
  });
});

describe('networkFindings()', () => {
  it('tells which proxies are for whom, without their passwords', async () => {
    const findings = await networkFindings({
      HTTPS_PROXY: `http://me:${SECRET}@proxy.example:3128`,
      http_proxy: 'socks5://proxy.example',
      NO_PROXY: '.example',
      ALL_PROXY: 'http://all.example',
    });
    const all = 'registries, downloads, git; not for RUN';
    assert.deepEqual(told(findings, ''), {
      ca: "info: certificates: Node's own list, then the machine's (NODE_EXTRA_CA_CERTS adds to them)",
      'proxy.HTTPS_PROXY': `ok: proxy: HTTPS_PROXY=http://proxy.example:3128, for ${all}`,
      'proxy.http_proxy': 'warn: proxy: http_proxy=socks5://proxy.example, for git; not for RUN',
      'proxy.NO_PROXY': `ok: proxy: NO_PROXY=.example, for ${all}`,
      'proxy.ALL_PROXY': 'warn: proxy: ALL_PROXY=http://all.example, for git; not for RUN',
    });
  });
});
