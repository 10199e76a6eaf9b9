/**
 * The docker daemon's settings of registries.
 *
 * https://docs.docker.com/reference/cli/dockerd/#daemon-configuration-file
 */

import { access, constants } from 'node:fs/promises';
import { isInNetwork } from '../../http/proxy.ts';
import { parseJson, readSettings, texts, unreadable } from './read-file.ts';

export interface DaemonSettings {
  /** Addresses of mirrors of Docker Hub. */
  readonly mirrors: readonly URL[];
  /** `HOST[:PORT]`, or a network. */
  readonly insecure: readonly string[];
  /** Undefined when there is none. */
  readonly file: string | undefined;
}

/** The first of the files that is there. @throws ERR_USAGE when it is no JSON */
export async function readDaemonSettings(paths: readonly string[]): Promise<DaemonSettings> {
  for (const file of paths) {
    // Root's file may be for root alone: then it is not for us.
    const isReadable = await access(file, constants.R_OK).then(
      () => true,
      () => false,
    );
    const text = isReadable ? await readSettings(file) : undefined;
    if (text === undefined || text.trim() === '') continue;
    const settings = parseJson(text);
    if (settings === undefined) throw unreadable(file, { hint: 'It must be a JSON file.' });
    const mirrors = texts(settings['registry-mirrors']).flatMap((text) => {
      const url = URL.parse(text);
      return url?.protocol === 'http:' || url?.protocol === 'https:' ? [url] : [];
    });
    return { mirrors, insecure: texts(settings['insecure-registries']), file };
  }
  return { mirrors: [], insecure: [], file: undefined };
}

/** Whether a list of insecure registries has `HOST[:PORT]`. */
export function listsInsecure(list: readonly string[], registry: string): boolean {
  const host = registry.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
  return list.some(
    (entry) => entry === registry || (entry.includes('/') && isInNetwork(host, entry)),
  );
}
