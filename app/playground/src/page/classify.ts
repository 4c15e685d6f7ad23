/** Sends files to the service. */

import { credentialHeaders } from '../shared/credentials';
import { execute } from './api';
import { ClassifyBatchDocument } from './operations.generated';
import type { Send } from './uploadQueue';

/** Larger files are classified in the background, as a proxy might end a long request. */
const LARGE_BYTES = 20 * 1024 ** 2;

export function sender(maxUploadBytes: number): Send {
  return async (file, given, onProgress, signal, client) => {
    const options = {
      onInvalidRow: given.skipInvalidRows ? ('SKIP_ROW' as const) : ('REJECT_FILE' as const),
      onMissingValue: given.classifyIncompleteRows ? ('CLASSIFY' as const) : ('SKIP_ROW' as const),
      minConfidence: given.minConfidence,
      background: file.size > LARGE_BYTES,
    };
    const result = await execute(
      ClassifyBatchDocument,
      { file, options },
      { files: { file }, headers: credentialHeaders(client), maxUploadBytes, onProgress, signal },
    );
    return result.classifyBatch;
  };
}
