/** Where images go. */

export { writeArchive } from './archive.ts';
export type { ExportImage, ExportOptions } from './export-image.ts';
export { writeLayout } from './layout.ts';
export { type OutputSpec, parseOutput } from './outputs.ts';
