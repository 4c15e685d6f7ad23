// Made by `npm run generate` from schema.graphql and operations.graphql.
/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
import type { DocumentTypeDecoration } from '@graphql-typed-document-node/core';
/** How far a batch is. */
export type BatchStatus =
  /** It waits for a worker. */
  | 'QUEUED'
  /** Its songs are being classified. */
  | 'RUNNING'
  /** All its songs are stored. */
  | 'SUCCEEDED'
  /** Nothing of it is stored; `error` says why. */
  | 'FAILED'
  /** It was stopped by `cancelBatch`; nothing of it is stored. */
  | 'CANCELLED';

/** How to classify a file. */
export type ClassifyBatchOptions = {
  /** What to do with a row that holds a wrong value. */
  onInvalidRow?: OnInvalidRow;
  /** From 0 to 1. A song of lower confidence is stored as uncertain: it keeps its genre, and `Song.confident` is false. */
  minConfidence?: number;
  /** Queue the file and answer at once. A file with too many rows for one request is queued anyway. */
  background?: boolean;
};

/** What to do with a row that holds a wrong value. */
export type OnInvalidRow =
  /** Refuse everything and store nothing. */
  | 'REJECT_FILE'
  /** Leave the row out, count it and report it. */
  | 'SKIP_ROW';

/** What kind of thing is wrong. */
export type SongFileProblemKind =
  /** The file's name does not end in .csv, or is too long. */
  | 'FILE_NAME'
  /** The file is empty. */
  | 'EMPTY_FILE'
  /** The file has a header and no rows. */
  | 'NO_ROWS'
  /** It is no text: a workbook, an archive, a NUL in a title. */
  | 'NOT_TEXT'
  /** It is not UTF-8. */
  | 'ENCODING'
  /** The columns are not separated by commas. */
  | 'SEPARATOR'
  /** A column is missing. */
  | 'MISSING_COLUMN'
  /** A column is there twice. */
  | 'DUPLICATE_COLUMN'
  /** The file has more columns than a song file may have. */
  | 'TOO_MANY_COLUMNS'
  /** A quote is opened and never closed. */
  | 'UNCLOSED_QUOTE'
  /** A row, or the header, is too long to be a song's. */
  | 'ROW_TOO_LONG'
  /** A row has more or fewer values than there are columns. */
  | 'RAGGED_ROW'
  /** A number is expected. */
  | 'NOT_A_NUMBER'
  /** A whole number is expected. */
  | 'NOT_AN_INTEGER'
  /** The number is outside the column's range. */
  | 'OUT_OF_RANGE'
  /** The text is longer than the column allows. */
  | 'TEXT_TOO_LONG';

export type OverviewQueryVariables = Exact<{ [key: string]: never; }>;


export type OverviewQuery = { genres: Array<{ name: string, songCount: number }>, batches: { nodes: Array<{ id: string, fileName: string | null, status: BatchStatus, rowsClassified: number, createdAt: string }> }, model: { version: string, genres: Array<string>, trainingSongs: number, accuracy: number, groupedAccuracy: number, groupedMacroF1: number } };

export type BatchFragment = { id: string, fileName: string | null, status: BatchStatus, error: string | null, createdAt: string, minConfidence: number, rowsUploaded: number, rowsProcessed: number, rowsClassified: number, rowsUncertain: number, rowsWithMissingValues: number, rowsInvalid: number, rowsDuplicated: number, problemCount: number, problems: Array<{ kind: SongFileProblemKind, line: number | null, column: string | null, value: string | null, message: string }>, genres: Array<{ songCount: number, genre: { name: string } }> };

export type ProblemFragment = { kind: SongFileProblemKind, line: number | null, column: string | null, value: string | null, message: string };

export type BatchQueryVariables = Exact<{
  id: string | number;
}>;


export type BatchQuery = { batch: { id: string, fileName: string | null, status: BatchStatus, error: string | null, createdAt: string, minConfidence: number, rowsUploaded: number, rowsProcessed: number, rowsClassified: number, rowsUncertain: number, rowsWithMissingValues: number, rowsInvalid: number, rowsDuplicated: number, problemCount: number, problems: Array<{ kind: SongFileProblemKind, line: number | null, column: string | null, value: string | null, message: string }>, genres: Array<{ songCount: number, genre: { name: string } }> } | null };

export type ClassifyBatchMutationVariables = Exact<{
  file: File;
  options?: ClassifyBatchOptions | null | undefined;
}>;


export type ClassifyBatchMutation = { classifyBatch:
    | { __typename: 'Batch', id: string, fileName: string | null, status: BatchStatus, error: string | null, createdAt: string, minConfidence: number, rowsUploaded: number, rowsProcessed: number, rowsClassified: number, rowsUncertain: number, rowsWithMissingValues: number, rowsInvalid: number, rowsDuplicated: number, problemCount: number, problems: Array<{ kind: SongFileProblemKind, line: number | null, column: string | null, value: string | null, message: string }>, genres: Array<{ songCount: number, genre: { name: string } }> }
    | { __typename: 'InvalidSongFile', message: string, problemCount: number, problems: Array<{ kind: SongFileProblemKind, line: number | null, column: string | null, value: string | null, message: string }> }
    | { __typename: 'SongFileTooLarge', message: string, maxRows: number }
   };

export type BatchProgressSubscriptionVariables = Exact<{
  id: string | number;
}>;


export type BatchProgressSubscription = { batchProgress: { status: BatchStatus, rowsUploaded: number, rowsProcessed: number } };

export type ProgressFragment = { status: BatchStatus, rowsUploaded: number, rowsProcessed: number };

export type CancelBatchMutationVariables = Exact<{
  id: string | number;
}>;


export type CancelBatchMutation = { cancelBatch: { status: BatchStatus } };

export type SongsQueryVariables = Exact<{
  genre?: string | null | undefined;
  titleContains?: string | null | undefined;
  batchId?: string | number | null | undefined;
  confident?: boolean | null | undefined;
  first: number;
  after?: string | null | undefined;
  count: boolean;
}>;


export type SongsQuery = { songs: { totalCount?: number, pageInfo: { hasNextPage: boolean, endCursor: string | null }, nodes: Array<{ trackId: string, title: string, confidence: number, confident: boolean, modelVersion: string, classifiedAt: string, genre: { name: string } }> } };

export type SongQueryVariables = Exact<{
  trackId: string | number;
}>;


export type SongQuery = { song: { trackId: string, title: string, confidence: number, confident: boolean, modelVersion: string, classifiedAt: string, genre: { name: string }, probabilities: Array<{ genre: string, probability: number }>, batch: { fileName: string | null, minConfidence: number } | null } | null };

export class TypedDocumentString<TResult, TVariables>
  extends String
  implements DocumentTypeDecoration<TResult, TVariables>
{
  __apiType?: NonNullable<DocumentTypeDecoration<TResult, TVariables>['__apiType']>;
  private value: string;
  public __meta__?: Record<string, any> | undefined;

  constructor(value: string, __meta__?: Record<string, any> | undefined) {
    super(value);
    this.value = value;
    this.__meta__ = __meta__;
  }

  override toString(): string & DocumentTypeDecoration<TResult, TVariables> {
    return this.value;
  }
}
export const ProblemFragmentDoc = new TypedDocumentString(`
    fragment Problem on SongFileProblem {
  kind
  line
  column
  value
  message
}
    `, {"fragmentName":"Problem"}) as unknown as TypedDocumentString<ProblemFragment, unknown>;
export const BatchFragmentDoc = new TypedDocumentString(`
    fragment Batch on Batch {
  id
  fileName
  status
  error
  createdAt
  minConfidence
  rowsUploaded
  rowsProcessed
  rowsClassified
  rowsUncertain
  rowsWithMissingValues
  rowsInvalid
  rowsDuplicated
  problemCount
  problems(first: 100) {
    ...Problem
  }
  genres {
    songCount
    genre {
      name
    }
  }
}
    fragment Problem on SongFileProblem {
  kind
  line
  column
  value
  message
}`, {"fragmentName":"Batch"}) as unknown as TypedDocumentString<BatchFragment, unknown>;
export const ProgressFragmentDoc = new TypedDocumentString(`
    fragment Progress on Batch {
  status
  rowsUploaded
  rowsProcessed
}
    `, {"fragmentName":"Progress"}) as unknown as TypedDocumentString<ProgressFragment, unknown>;
export const OverviewDocument = new TypedDocumentString(`
    query Overview {
  genres {
    name
    songCount
  }
  batches(first: 20) {
    nodes {
      id
      fileName
      status
      rowsClassified
      createdAt
    }
  }
  model {
    version
    genres
    trainingSongs
    accuracy
    groupedAccuracy
    groupedMacroF1
  }
}
    `) as unknown as TypedDocumentString<OverviewQuery, OverviewQueryVariables>;
export const BatchDocument = new TypedDocumentString(`
    query Batch($id: ID!) {
  batch(id: $id) {
    ...Batch
  }
}
    fragment Batch on Batch {
  id
  fileName
  status
  error
  createdAt
  minConfidence
  rowsUploaded
  rowsProcessed
  rowsClassified
  rowsUncertain
  rowsWithMissingValues
  rowsInvalid
  rowsDuplicated
  problemCount
  problems(first: 100) {
    ...Problem
  }
  genres {
    songCount
    genre {
      name
    }
  }
}
fragment Problem on SongFileProblem {
  kind
  line
  column
  value
  message
}`) as unknown as TypedDocumentString<BatchQuery, BatchQueryVariables>;
export const ClassifyBatchDocument = new TypedDocumentString(`
    mutation ClassifyBatch($file: Upload!, $options: ClassifyBatchOptions) {
  classifyBatch(file: $file, options: $options) {
    __typename
    ... on Batch {
      ...Batch
    }
    ... on InvalidSongFile {
      message
      problemCount
      problems(first: 100) {
        ...Problem
      }
    }
    ... on SongFileTooLarge {
      message
      maxRows
    }
  }
}
    fragment Batch on Batch {
  id
  fileName
  status
  error
  createdAt
  minConfidence
  rowsUploaded
  rowsProcessed
  rowsClassified
  rowsUncertain
  rowsWithMissingValues
  rowsInvalid
  rowsDuplicated
  problemCount
  problems(first: 100) {
    ...Problem
  }
  genres {
    songCount
    genre {
      name
    }
  }
}
fragment Problem on SongFileProblem {
  kind
  line
  column
  value
  message
}`) as unknown as TypedDocumentString<ClassifyBatchMutation, ClassifyBatchMutationVariables>;
export const BatchProgressDocument = new TypedDocumentString(`
    subscription BatchProgress($id: ID!) {
  batchProgress(id: $id) {
    ...Progress
  }
}
    fragment Progress on Batch {
  status
  rowsUploaded
  rowsProcessed
}`) as unknown as TypedDocumentString<BatchProgressSubscription, BatchProgressSubscriptionVariables>;
export const CancelBatchDocument = new TypedDocumentString(`
    mutation CancelBatch($id: ID!) {
  cancelBatch(id: $id) {
    status
  }
}
    `) as unknown as TypedDocumentString<CancelBatchMutation, CancelBatchMutationVariables>;
export const SongsDocument = new TypedDocumentString(`
    query Songs($genre: String, $titleContains: String, $batchId: ID, $confident: Boolean, $first: Int!, $after: String, $count: Boolean!) {
  songs(
    genre: $genre
    titleContains: $titleContains
    batchId: $batchId
    confident: $confident
    first: $first
    after: $after
  ) {
    totalCount @include(if: $count)
    pageInfo {
      hasNextPage
      endCursor
    }
    nodes {
      trackId
      title
      confidence
      confident
      modelVersion
      classifiedAt
      genre {
        name
      }
    }
  }
}
    `) as unknown as TypedDocumentString<SongsQuery, SongsQueryVariables>;
export const SongDocument = new TypedDocumentString(`
    query Song($trackId: ID!) {
  song(trackId: $trackId) {
    trackId
    title
    confidence
    confident
    modelVersion
    classifiedAt
    genre {
      name
    }
    probabilities {
      genre
      probability
    }
    batch {
      fileName
      minConfidence
    }
  }
}
    `) as unknown as TypedDocumentString<SongQuery, SongQueryVariables>;