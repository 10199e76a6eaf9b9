/** Where images go. */

export type { ExportImage, ExportOptions } from './export-image.ts';
export { writeArchive } from './archive.ts';
export { writeLayout } from './layout.ts';
export { type OutputSpec, parseOutput } from './outputs.ts';
export { writeOutput } from './write-output.ts';
