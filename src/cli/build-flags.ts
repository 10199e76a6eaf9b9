/** The flags of a build, in the groups that the help shows. */

import { RUN_FLAGS, RUN_LISTS } from './run-flags.ts';

export interface BuildFlag {
  /** As commander reads it. */
  readonly declaration: string;
  readonly text: string;
  /** Of the group in the help. */
  readonly heading: string;
  /** May be given several times. */
  readonly isList: boolean;
}

export const BUILD_FLAGS: readonly BuildFlag[] = [
  ...group('Input:', [
    one('-f, --file <file>', 'the Dockerfile: a path, a URL or - (default: CONTEXT/Dockerfile)'),
    one('--ignorefile <file>', 'the ignore file (default: .dockerignore, .containerignore)'),
    one('--target <stage>', 'the stage to build (default: the last)'),
    list('--build-arg <name[=value]>', 'a value for ARG; without "=" from the environment'),
    list('--build-context <name=source>', 'a further context: directory, URL, oci-layout://, …'),
    list(
      '--platform <platform>',
      'os/architecture[/variant], several with commas (default: of this machine)',
    ),
    one('--pull [policy]', 'always ask the registry (which is what happens anyway)'),
    list(
      '--insecure-registry <host>',
      'HOST[:PORT] or network for which HTTP and any certificate will do',
    ),
    one('--no-cache', 'run every step anew'),
    list('--no-cache-filter <stages>', 'run every step of these stages anew'),
  ]),
  ...group('Output:', [
    list('-t, --tag <name>', 'the image name, e.g. registry.example/app:1.2'),
    list('-o, --output <output>', 'where the image goes, e.g. type=oci,dest=image.tar'),
    one('--push', 'push the image to its names'),
    one('--load', "load the image into docker's engine, or podman"),
    list('--label <name=value>', 'a label of the image'),
    list('--annotation <annotation>', '[PLACE:]KEY=VALUE in the manifest or index'),
    list('--attest <attestation>', 'type=provenance or type=sbom[,KEY=VALUE]'),
    one('--provenance <value>', 'how the image was built: true, mode=min or mode=max'),
    one('--sbom <value>', 'the packages in the image'),
    one('--iidfile <file>', "write the image's id there"),
    one('--metadata-file <file>', 'write digests and names there, as JSON'),
  ]),
  ...group('What RUN sees, and may use:', [
    list('--secret <secret>', 'id=NAME[,src=FILE|env=VARIABLE], for RUN --mount=type=secret'),
    list('--ssh <agent>', 'default, or ID[=SOCKET|KEY[,KEY]], for RUN --mount=type=ssh'),
    list('--add-host <name:address>', 'a line of /etc/hosts in RUN'),
    one('--isolation <mode>', 'of RUN: auto (the best that works), root, subids or single'),
    ...Object.entries(RUN_FLAGS).map(([declaration, text]) =>
      RUN_LISTS.includes(declaration) ? list(declaration, text) : one(declaration, text),
    ),
    one(
      '--jobs <number>',
      'how many RUNs, and layer jobs, at once (default: processors, at least 8 RUNs)',
    ),
  ]),
  ...group('Instead of a build:', [
    one('--check', 'build nothing: say what is wrong with the Dockerfile'),
    one('--fix', 'with --check: mend the Dockerfile where that needs no judgement'),
    one(
      '--call <method>',
      'build, check[,format=json|sarif][,ignorestatus=true], outline or targets[,format=json]',
    ),
  ]),
  ...group('Other:', [
    one('-q, --quiet', 'print nothing but the digest'),
    one('--progress <kind>', 'auto, plain, quiet or none'),
    one('-h, --help', 'print this help'),
    one('-v, --version', 'print the version'),
  ]),
];

type Flag = Omit<BuildFlag, 'heading'>;

function group(heading: string, flags: readonly Flag[]): readonly BuildFlag[] {
  return flags.map((flag) => ({ ...flag, heading }));
}

function one(declaration: string, text: string): Flag {
  return { declaration, text, isList: false };
}

function list(declaration: string, text: string): Flag {
  return { declaration, text, isList: true };
}
