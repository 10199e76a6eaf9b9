/** Where images go. */

export {
  type Annotation,
  annotationsAt,
  checkAnnotations,
  parseAnnotation,
} from './annotations.ts';
export { writeArchive } from './archive.ts';
export type { Engine } from './engine.ts';
export type { ExportBlob, ExportImage, ExportOptions, ExportResult } from './export-result.ts';
export { splitFields } from './csv.ts';
export { writeDirectory } from './directory.ts';
export { replacedEntries, writeLayout } from './layout.ts';
export {
  type ImageForm,
  type LocalOutput,
  type OciOutput,
  type OutputSpec,
  type RegistryOutput,
  type TarOutput,
  USUAL_FORM,
} from './output.ts';
export { parseOutput } from './outputs.ts';
export { writeRootTar } from './root-tar.ts';
export { unpackArchive } from './read-archive.ts';
export { type DockerImage, unpackImage, type UnpackedFile } from './unpack-image.ts';
export { nameOfOutput, stdoutOf, writeOutput } from './write-output.ts';
