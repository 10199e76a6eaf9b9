/** The flags of a build as commander declares them, in the groups that the help shows. */

import { Option } from 'commander';
import { DOCKER_FLAGS } from './docker-flags.ts';
import { RUN_FLAGS, RUN_LISTS } from './run-flags.ts';

/** New at each call: who uses them may hide some. */
export function createOptions(): readonly Option[] {
  return [
    ...group('Input:', [
      new Option(
        '-f, --file <file>',
        'the Dockerfile: a path, a URL or - (default: CONTEXT/Dockerfile)',
      ),
      new Option(
        '--ignorefile <file>',
        'the ignore file (default: .dockerignore, .containerignore)',
      ),
      new Option('--target <stage>', 'the stage to build (default: the last)'),
      list('--build-arg <name[=value]>', 'a value for ARG; without "=" from the environment'),
      list('--build-context <name=source>', 'a further context: directory, URL, oci-layout://, …'),
      list(
        '--platform <platform>',
        'os/architecture[/variant], several with commas (default: of this machine)',
      ),
      new Option('--pull [policy]', 'always ask the registry (which is what happens anyway)'),
      list(
        '--insecure-registry <host>',
        'HOST[:PORT] or network for which HTTP and any certificate will do',
      ),
      new Option('--no-cache', 'run every step anew'),
      list('--no-cache-filter <stages>', 'run every step of these stages anew'),
    ]),
    ...group('Output:', [
      list('-t, --tag <name>', 'the image name, e.g. registry.example/app:1.2'),
      list('-o, --output <output>', 'where the image goes, e.g. type=oci,dest=image.tar'),
      new Option('--push', 'push the image to its names'),
      new Option('--load', "load the image into docker's engine, or podman"),
      list('--label <name=value>', 'a label of the image'),
      list('--annotation <annotation>', '[PLACE:]KEY=VALUE in the manifest or index'),
      list('--attest <attestation>', 'type=provenance or type=sbom[,KEY=VALUE]'),
      new Option('--provenance <value>', 'how the image was built: true, mode=min or mode=max'),
      new Option('--sbom <value>', 'the packages in the image'),
      new Option('--iidfile <file>', "write the image's id there"),
      new Option('--metadata-file <file>', 'write digests and names there, as JSON'),
    ]),
    ...group('What RUN sees, and may use:', [
      list('--secret <secret>', 'id=NAME[,src=FILE|env=VARIABLE], for RUN --mount=type=secret'),
      list('--ssh <agent>', 'default, or ID[=SOCKET|KEY[,KEY]], for RUN --mount=type=ssh'),
      list('--add-host <name:address>', 'a line of /etc/hosts in RUN'),
      new Option(
        '--isolation <mode>',
        'of RUN: auto (the best that works), root, subids or single',
      ),
      ...Object.entries(RUN_FLAGS).map(([declaration, text]) =>
        RUN_LISTS.includes(declaration) ? list(declaration, text) : new Option(declaration, text),
      ),
      new Option(
        '--jobs <number>',
        'how many RUNs, and layer jobs, at once (default: processors, at least 8 RUNs)',
      ),
    ]),
    ...group('Instead of a build:', [
      new Option('--check', 'build nothing: say what is wrong with the Dockerfile'),
      new Option('--fix', 'with --check: mend the Dockerfile where that needs no judgement'),
      new Option(
        '--call <method>',
        'build, check[,format=json|sarif][,ignorestatus=true], outline or targets[,format=json]',
      ),
    ]),
    ...group('Other:', [
      new Option('-q, --quiet', 'print nothing but the digest'),
      new Option('--progress <kind>', 'auto, plain, quiet or none'),
      new Option('-h, --help', 'print this help'),
      new Option('-v, --version', 'print the version'),
    ]),
    ...DOCKER_FLAGS.map(({ declaration }) => new Option(declaration).hideHelp()),
  ];
}

function group(heading: string, options: readonly Option[]): readonly Option[] {
  return options.map((option) => option.helpGroup(heading));
}

function list(declaration: string, text: string): Option {
  return new Option(declaration, text)
    .default([])
    .argParser((value, before: readonly string[]) => [...before, value]);
}
