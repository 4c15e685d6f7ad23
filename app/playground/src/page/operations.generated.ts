// Made by `npm run generate` from schema.graphql and operations.graphql.
/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
import type { DocumentTypeDecoration } from '@graphql-typed-document-node/core';
/** The state of a batch. */
export type BatchStatus =
  /** Waiting for a worker. */
  | 'QUEUED'
  /** Being classified. */
  | 'RUNNING'
  /** Waiting for the cause in `waitingReason` to clear; it then resumes on its own. */
  | 'WAITING'
  /** All songs are stored. */
  | 'SUCCEEDED'
  /** Failed, with nothing stored; see `error`. */
  | 'FAILED'
  /** Stopped by `cancelBatch`, with nothing stored. */
  | 'CANCELLED';

/** How to classify a file. */
export type ClassifyBatchOptions = {
  /** What to do with a row that has an invalid value. */
  onInvalidRow?: OnInvalidRow;
  /** What to do with a row that has missing values. */
  onMissingValue?: OnMissingValue;
  /** The confidence threshold, from 0 to 1. Songs below it keep their genre and have `confident: false`. */
  minConfidence?: number;
  /** Queue the file and return immediately. Files too large for one request are always queued. */
  background?: boolean;
};

/** A group of song features with a common source. */
export type FeatureGroup =
  /** Loudness, tempo, time signature, key, mode and duration. */
  | 'METADATA'
  /** The 148 audio features. */
  | 'AUDIO'
  /** Lyric statistics: languages, themes, rarity of words, and similarity to genres. */
  | 'LYRICS';

/** What to do with a row that has an invalid value. */
export type OnInvalidRow =
  /** Refuse the entire file and store nothing. */
  | 'REJECT_FILE'
  /** Skip the row, count it and report it. */
  | 'SKIP_ROW';

/** What to do with a row that has missing values. */
export type OnMissingValue =
  /** Skip the row and count it. */
  | 'SKIP_ROW'
  /** Classify the row with the values present. A track ID, a title and at least one number or tag are required; all other columns may be absent. Accuracy decreases with the amount of missing data. */
  | 'CLASSIFY';

/** The kind of problem. */
export type SongFileProblemKind =
  /** The file name does not end in .csv or is too long. */
  | 'FILE_NAME'
  /** The file is empty. */
  | 'EMPTY_FILE'
  /** The file has a header but no rows. */
  | 'NO_ROWS'
  /** The file is not text: a workbook, an archive, or text containing a NUL character. */
  | 'NOT_TEXT'
  /** The file is not valid UTF-8. */
  | 'ENCODING'
  /** The columns are not separated by commas. */
  | 'SEPARATOR'
  /** The first line does not name the columns of a song file. */
  | 'NOT_A_HEADER'
  /** A column is missing. */
  | 'MISSING_COLUMN'
  /** A column appears twice. */
  | 'DUPLICATE_COLUMN'
  /** The file has too many columns. */
  | 'TOO_MANY_COLUMNS'
  /** A quote is never closed. */
  | 'UNCLOSED_QUOTE'
  /** A quote inside a quoted cell is not doubled. */
  | 'UNDOUBLED_QUOTE'
  /** A row or the header is too long. */
  | 'ROW_TOO_LONG'
  /** A row has a different number of values than the header. */
  | 'RAGGED_ROW'
  /** The value is not a number. */
  | 'NOT_A_NUMBER'
  /** The value is not an integer. */
  | 'NOT_AN_INTEGER'
  /** The number is outside the column's range. */
  | 'OUT_OF_RANGE'
  /** The text exceeds the maximum length of the column. */
  | 'TEXT_TOO_LONG';

/** The order of a list of songs. */
export type SongOrder =
  /** By title in code point order, then by track ID. */
  | 'TITLE'
  /** Least confident first, then by track ID. */
  | 'CONFIDENCE'
  /** Most confident first, then by descending track ID. */
  | 'CONFIDENCE_DESC';

/** A verified genre for a stored song. */
export type VerifiedSongInput = {
  /** The song's track ID. */
  trackId: string | number;
  /** The genre, up to 100 characters; it may be new to the model. Null removes the verification. */
  genre?: string | null | undefined;
};

export type OverviewQueryVariables = Exact<{
  files: number;
}>;


export type OverviewQuery = { genres: Array<{ name: string, songCount: number }>, batches: { pageInfo: { hasNextPage: boolean }, nodes: Array<{ id: string, fileName: string | null, status: BatchStatus, error: string | null, waitingReason: string | null, createdAt: string, resultsUntil: string | null, rowsUploaded: number, rowsProcessed: number, rowsClassified: number, songsSuperseded: number, problemCount: number, genres: Array<{ songCount: number, genre: { name: string } }> }> }, model: { version: string, genres: Array<string>, trainingSongs: number, groupedAccuracy: number, largeGroupsAccuracy: number | null } };

export type FileFragment = { id: string, fileName: string | null, status: BatchStatus, error: string | null, waitingReason: string | null, createdAt: string, resultsUntil: string | null, rowsUploaded: number, rowsProcessed: number, rowsClassified: number, songsSuperseded: number, problemCount: number };

export type BatchFragment = { minConfidence: number, rowsUncertain: number, rowsWithMissingValues: number, rowsClassifiedWithMissingValues: number, rowsInvalid: number, rowsDuplicated: number, id: string, fileName: string | null, status: BatchStatus, error: string | null, waitingReason: string | null, createdAt: string, resultsUntil: string | null, rowsUploaded: number, rowsProcessed: number, rowsClassified: number, songsSuperseded: number, problemCount: number, problems: Array<{ kind: SongFileProblemKind, line: number | null, column: string | null, value: string | null, message: string }>, genres: Array<{ songCount: number, genre: { name: string } }>, drift: Array<{ group: FeatureGroup, songsOutside: number, share: number }> | null };

export type ProblemFragment = { kind: SongFileProblemKind, line: number | null, column: string | null, value: string | null, message: string };

export type BatchQueryVariables = Exact<{
  id: string | number;
}>;


export type BatchQuery = { batch: { minConfidence: number, rowsUncertain: number, rowsWithMissingValues: number, rowsClassifiedWithMissingValues: number, rowsInvalid: number, rowsDuplicated: number, id: string, fileName: string | null, status: BatchStatus, error: string | null, waitingReason: string | null, createdAt: string, resultsUntil: string | null, rowsUploaded: number, rowsProcessed: number, rowsClassified: number, songsSuperseded: number, problemCount: number, problems: Array<{ kind: SongFileProblemKind, line: number | null, column: string | null, value: string | null, message: string }>, genres: Array<{ songCount: number, genre: { name: string } }>, drift: Array<{ group: FeatureGroup, songsOutside: number, share: number }> | null } | null };

export type ClassifyBatchMutationVariables = Exact<{
  file: File;
  options?: ClassifyBatchOptions | null | undefined;
}>;


export type ClassifyBatchMutation = { classifyBatch:
    | { __typename: 'Batch', minConfidence: number, rowsUncertain: number, rowsWithMissingValues: number, rowsClassifiedWithMissingValues: number, rowsInvalid: number, rowsDuplicated: number, id: string, fileName: string | null, status: BatchStatus, error: string | null, waitingReason: string | null, createdAt: string, resultsUntil: string | null, rowsUploaded: number, rowsProcessed: number, rowsClassified: number, songsSuperseded: number, problemCount: number, problems: Array<{ kind: SongFileProblemKind, line: number | null, column: string | null, value: string | null, message: string }>, genres: Array<{ songCount: number, genre: { name: string } }>, drift: Array<{ group: FeatureGroup, songsOutside: number, share: number }> | null }
    | { __typename: 'InvalidSongFile', message: string, problemCount: number, problems: Array<{ kind: SongFileProblemKind, line: number | null, column: string | null, value: string | null, message: string }> }
    | { __typename: 'SongFileTooLarge', message: string }
   };

export type BatchProgressSubscriptionVariables = Exact<{
  id: string | number;
}>;


export type BatchProgressSubscription = { batchProgress: { status: BatchStatus, waitingReason: string | null, rowsUploaded: number, rowsProcessed: number } };

export type ProgressFragment = { status: BatchStatus, waitingReason: string | null, rowsUploaded: number, rowsProcessed: number };

export type CancelBatchMutationVariables = Exact<{
  id: string | number;
}>;


export type CancelBatchMutation = { cancelBatch: { status: BatchStatus } };

export type SongsQueryVariables = Exact<{
  genre?: string | null | undefined;
  titleContains?: string | null | undefined;
  batchId?: string | number | null | undefined;
  confident?: boolean | null | undefined;
  minConfidence?: number | null | undefined;
  maxConfidence?: number | null | undefined;
  orderBy: SongOrder;
  first: number;
  after?: string | null | undefined;
  count: boolean;
}>;


export type SongsQuery = { songs: { totalCount?: number, pageInfo: { hasNextPage: boolean, endCursor: string | null }, nodes: Array<{ trackId: string, title: string, confidence: number, confident: boolean, modelVersion: string, classifiedAt: string, genre: { name: string } }> } };

export type SongQueryVariables = Exact<{
  trackId: string | number;
}>;


export type SongQuery = { song: { trackId: string, title: string, confidence: number, confident: boolean, modelVersion: string, classifiedAt: string, predictedGenre: { name: string }, verifiedGenre: { name: string } | null, probabilities: Array<{ genre: string, probability: number }>, explanation: Array<{ text: string, contribution: number }> | null, batch: { id: string, fileName: string | null, minConfidence: number } | null } | null };

export type ReviewSongsQueryVariables = Exact<{
  genre: string;
}>;


export type ReviewSongsQuery = { songs: { nodes: Array<{ trackId: string, title: string, confidence: number, predictedGenre: { name: string }, probabilities: Array<{ genre: string, probability: number }>, batch: { id: string, fileName: string | null } | null }> } };

export type VerifySongsMutationVariables = Exact<{
  input: Array<VerifiedSongInput> | VerifiedSongInput;
}>;


export type VerifySongsMutation = { verifySongs:
    | { __typename: 'VerifiedSongs' }
    | { __typename: 'UnknownSongs', message: string }
   };

export type VerifiedAccuracyQueryVariables = Exact<{ [key: string]: never; }>;


export type VerifiedAccuracyQuery = { accuracyOnVerified: { songsVerified: number, overall: { songs: number, share: number | null, lower: number, upper: number }, byGenre: Array<{ genre: string, accuracy: { songs: number, share: number | null, lower: number, upper: number } }>, byConfidence: Array<{ minConfidence: number, maxConfidence: number, accuracy: { songs: number, share: number | null, lower: number, upper: number } }> } };

export type AccuracyFragment = { songs: number, share: number | null, lower: number, upper: number };

export type ReclassifySongsMutationVariables = Exact<{
  batchId: string | number;
  minConfidence: number;
}>;


export type ReclassifySongsMutation = { reclassifySongs: { id: string, fileName: string | null, status: BatchStatus, error: string | null, waitingReason: string | null, createdAt: string, resultsUntil: string | null, rowsUploaded: number, rowsProcessed: number, rowsClassified: number, songsSuperseded: number, problemCount: number } };

export type DeleteBatchMutationVariables = Exact<{
  id: string | number;
  songs: boolean;
}>;


export type DeleteBatchMutation = { deleteBatch: { songsDeleted: number } };

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
export const FileFragmentDoc = new TypedDocumentString(`
    fragment File on Batch {
  id
  fileName
  status
  error
  waitingReason
  createdAt
  resultsUntil
  rowsUploaded
  rowsProcessed
  rowsClassified
  songsSuperseded
  problemCount
}
    `, {"fragmentName":"File"}) as unknown as TypedDocumentString<FileFragment, unknown>;
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
  ...File
  minConfidence
  rowsUncertain
  rowsWithMissingValues
  rowsClassifiedWithMissingValues
  rowsInvalid
  rowsDuplicated
  problems(first: 100) {
    ...Problem
  }
  genres {
    songCount
    genre {
      name
    }
  }
  drift {
    group
    songsOutside
    share
  }
}
    fragment File on Batch {
  id
  fileName
  status
  error
  waitingReason
  createdAt
  resultsUntil
  rowsUploaded
  rowsProcessed
  rowsClassified
  songsSuperseded
  problemCount
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
  waitingReason
  rowsUploaded
  rowsProcessed
}
    `, {"fragmentName":"Progress"}) as unknown as TypedDocumentString<ProgressFragment, unknown>;
export const AccuracyFragmentDoc = new TypedDocumentString(`
    fragment Accuracy on Accuracy {
  songs
  share
  lower
  upper
}
    `, {"fragmentName":"Accuracy"}) as unknown as TypedDocumentString<AccuracyFragment, unknown>;
export const OverviewDocument = new TypedDocumentString(`
    query Overview($files: Int!) {
  genres {
    name
    songCount
  }
  batches(first: $files) {
    pageInfo {
      hasNextPage
    }
    nodes {
      ...File
      genres {
        songCount
        genre {
          name
        }
      }
    }
  }
  model {
    version
    genres
    trainingSongs
    groupedAccuracy
    largeGroupsAccuracy
  }
}
    fragment File on Batch {
  id
  fileName
  status
  error
  waitingReason
  createdAt
  resultsUntil
  rowsUploaded
  rowsProcessed
  rowsClassified
  songsSuperseded
  problemCount
}`) as unknown as TypedDocumentString<OverviewQuery, OverviewQueryVariables>;
export const BatchDocument = new TypedDocumentString(`
    query Batch($id: ID!) {
  batch(id: $id) {
    ...Batch
  }
}
    fragment File on Batch {
  id
  fileName
  status
  error
  waitingReason
  createdAt
  resultsUntil
  rowsUploaded
  rowsProcessed
  rowsClassified
  songsSuperseded
  problemCount
}
fragment Batch on Batch {
  ...File
  minConfidence
  rowsUncertain
  rowsWithMissingValues
  rowsClassifiedWithMissingValues
  rowsInvalid
  rowsDuplicated
  problems(first: 100) {
    ...Problem
  }
  genres {
    songCount
    genre {
      name
    }
  }
  drift {
    group
    songsOutside
    share
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
    }
  }
}
    fragment File on Batch {
  id
  fileName
  status
  error
  waitingReason
  createdAt
  resultsUntil
  rowsUploaded
  rowsProcessed
  rowsClassified
  songsSuperseded
  problemCount
}
fragment Batch on Batch {
  ...File
  minConfidence
  rowsUncertain
  rowsWithMissingValues
  rowsClassifiedWithMissingValues
  rowsInvalid
  rowsDuplicated
  problems(first: 100) {
    ...Problem
  }
  genres {
    songCount
    genre {
      name
    }
  }
  drift {
    group
    songsOutside
    share
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
  waitingReason
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
    query Songs($genre: String, $titleContains: String, $batchId: ID, $confident: Boolean, $minConfidence: Float, $maxConfidence: Float, $orderBy: SongOrder!, $first: Int!, $after: String, $count: Boolean!) {
  songs(
    genre: $genre
    titleContains: $titleContains
    batchId: $batchId
    confident: $confident
    minConfidence: $minConfidence
    maxConfidence: $maxConfidence
    orderBy: $orderBy
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
    predictedGenre {
      name
    }
    verifiedGenre {
      name
    }
    probabilities {
      genre
      probability
    }
    explanation(first: 6) {
      text
      contribution
    }
    batch {
      id
      fileName
      minConfidence
    }
  }
}
    `) as unknown as TypedDocumentString<SongQuery, SongQueryVariables>;
export const ReviewSongsDocument = new TypedDocumentString(`
    query ReviewSongs($genre: String!) {
  songs(genre: $genre, verified: false, orderBy: CONFIDENCE, first: 20) {
    nodes {
      trackId
      title
      confidence
      predictedGenre {
        name
      }
      probabilities {
        genre
        probability
      }
      batch {
        id
        fileName
      }
    }
  }
}
    `) as unknown as TypedDocumentString<ReviewSongsQuery, ReviewSongsQueryVariables>;
export const VerifySongsDocument = new TypedDocumentString(`
    mutation VerifySongs($input: [VerifiedSongInput!]!) {
  verifySongs(input: $input) {
    __typename
    ... on UnknownSongs {
      message
    }
  }
}
    `) as unknown as TypedDocumentString<VerifySongsMutation, VerifySongsMutationVariables>;
export const VerifiedAccuracyDocument = new TypedDocumentString(`
    query VerifiedAccuracy {
  accuracyOnVerified {
    songsVerified
    overall {
      ...Accuracy
    }
    byGenre {
      genre
      accuracy {
        ...Accuracy
      }
    }
    byConfidence {
      minConfidence
      maxConfidence
      accuracy {
        ...Accuracy
      }
    }
  }
}
    fragment Accuracy on Accuracy {
  songs
  share
  lower
  upper
}`) as unknown as TypedDocumentString<VerifiedAccuracyQuery, VerifiedAccuracyQueryVariables>;
export const ReclassifySongsDocument = new TypedDocumentString(`
    mutation ReclassifySongs($batchId: ID!, $minConfidence: Float!) {
  reclassifySongs(batchId: $batchId, minConfidence: $minConfidence) {
    ...File
  }
}
    fragment File on Batch {
  id
  fileName
  status
  error
  waitingReason
  createdAt
  resultsUntil
  rowsUploaded
  rowsProcessed
  rowsClassified
  songsSuperseded
  problemCount
}`) as unknown as TypedDocumentString<ReclassifySongsMutation, ReclassifySongsMutationVariables>;
export const DeleteBatchDocument = new TypedDocumentString(`
    mutation DeleteBatch($id: ID!, $songs: Boolean!) {
  deleteBatch(id: $id, songs: $songs) {
    songsDeleted
  }
}
    `) as unknown as TypedDocumentString<DeleteBatchMutation, DeleteBatchMutationVariables>;