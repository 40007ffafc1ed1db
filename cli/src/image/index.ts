/** Images: import, export, verify, list. */
export { findImage, imageKinds, listImages, type ImageKind, type ImageRow } from './catalog.js';
export { importImage, type ImportOptions, type ImportResult } from './import.js';
export { exportImage, verifyImage, type TransferOptions, type VerifyResult } from './export.js';
export { progressLine, type Progress, type ProgressListener } from './progress.js';
