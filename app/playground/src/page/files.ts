/** The name of a batch. */
export const nameOf = ({ fileName }: { fileName: string | null }): string =>
  fileName ?? 'Songs without a file';
