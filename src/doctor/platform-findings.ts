/** For which platforms RUN can be executed, and by whom (MP-4). */

import { formatPlatform, type Platform } from '../oci/platform.ts';
import { readHandlers } from '../solve/binfmt.ts';
import { type EmulationOptions, type Execution, executionOf } from '../solve/emulation.ts';
import type { Finding } from './finding.ts';

/** What images are commonly made for. */
const PLATFORMS: readonly Platform[] = [
  { os: 'linux', architecture: 'amd64' },
  { os: 'linux', architecture: '386' },
  { os: 'linux', architecture: 'arm64' },
  { os: 'linux', architecture: 'arm', variant: 'v7' },
  { os: 'linux', architecture: 'ppc64le' },
  { os: 'linux', architecture: 'riscv64' },
  { os: 'linux', architecture: 's390x' },
];

export async function platformFindings(options: EmulationOptions): Promise<readonly Finding[]> {
  const found = await Promise.all(
    PLATFORMS.map(async (platform) => ({
      name: formatPlatform(platform),
      execution: await executionOf(platform, options),
    })),
  );
  const names = (kind: string): readonly string[] =>
    found.filter(({ execution }) => execution.kind === kind).map(({ name }) => name);
  const [native, emulated] = [names('native'), names('emulated')];
  const works = [
    native.join(', '),
    ...(emulated.length === 0 ? [] : [`by emulation ${emulated.join(', ')}`]),
  ];
  const details = { native, emulated, binfmt: await handlerDetails(options) };
  const text = works.join('; ');
  return [{ id: 'platforms', group: 'platforms', status: 'ok', text, details }, ...refusals(found)];
}

/** What is missing for one reason is told once. */
function refusals(
  found: readonly { readonly name: string; readonly execution: Execution }[],
): readonly Finding[] {
  const byReason = new Map<
    string,
    { readonly names: string[]; readonly fix: string | undefined }
  >();
  for (const { name, execution } of found) {
    if (execution.kind !== 'refused') continue;
    const reason = execution.reason.replace(` for ${name}`, '');
    const known = byReason.get(reason);
    if (known === undefined) byReason.set(reason, { names: [name], fix: execution.fix });
    else known.names.push(name);
  }
  return [...byReason].map(([reason, { names, fix }]): Finding => {
    const finding = {
      id: 'platforms.missing',
      group: 'platforms',
      status: 'info',
      text: `not ${names.join(', ')}: ${reason}`,
      details: { platforms: names },
    } as const;
    if (fix === undefined) return finding;
    const all = names.length === 1 ? fix : fix.replace(/--install \S+/, '--install all');
    return { ...finding, fix: all };
  });
}

async function handlerDetails({ binfmt }: EmulationOptions) {
  const handlers = await readHandlers(binfmt);
  if (handlers === undefined) return null;
  return handlers.map(({ name, isEnabled, interpreter, flags }) => ({
    name,
    enabled: isEnabled,
    interpreter,
    flags,
  }));
}
