/** The initial tabs: one for each main task. */

interface ReadyTab {
  query: string;
  variables?: string;
}

const classifyBatch = `# 1. Choose a CSV file under Files.
# 2. Press the play button.
mutation ClassifyBatch(
  $file: Upload!
  $options: ClassifyBatchOptions
) {
  classifyBatch(
    file: $file
    options: $options
  ) {
    __typename
    ... on Batch {
      id
      status
      rowsUploaded
      rowsClassified
      rowsUncertain
      genres {
        genre {
          name
        }
        songCount
      }
    }
    ... on Error {
      message
      code
    }
    ... on InvalidSongFile {
      problemCount
      problems(first: 20) {
        line
        column
        value
        message
      }
    }
    ... on SongFileTooLarge {
      maxRows
    }
  }
}
`;

const genres = `# Genres, and their songs counted.
query Genres {
  genres {
    name
    songCount
  }
}
`;

const songsOfGenre = `# Songs of one genre. Next page:
# set "after" to the endCursor.
query SongsOfGenre(
  $genre: String
  $titleContains: String
  $after: String
) {
  songs(
    genre: $genre
    titleContains: $titleContains
    first: 20
    after: $after
  ) {
    totalCount
    pageInfo {
      hasNextPage
      endCursor
    }
    nodes {
      trackId
      title
      confidence
      confident
      probabilities {
        genre
        probability
      }
    }
  }
}
`;

const modelCard = `# The model and its accuracy.
query ModelCard {
  model {
    version
    trainedAt
    trainingSongs
    genres
    accuracy
    macroF1
    groupedAccuracy
    groupedMacroF1
    largeGroupsAccuracy
    largeGroupsMacroF1
    genreScores {
      genre
      recall
      precision
      support
    }
  }
}
`;

const batchProgress = `# Follows a batch to its end:
# the last one, or that of "id".
subscription BatchProgress(
  $id: ID!
) {
  batchProgress(id: $id) {
    id
    fileName
    status
    waitingReason
    rowsUploaded
    rowsProcessed
    rowsClassified
    error
  }
}
`;

const json = (value: unknown) => JSON.stringify(value, null, 2);

export const READY_TABS: ReadyTab[] = [
  {
    query: classifyBatch,
    variables: json({
      file: null,
      options: { onInvalidRow: 'REJECT_FILE', minConfidence: 0, background: false },
    }),
  },
  { query: genres },
  { query: songsOfGenre, variables: json({ genre: 'metal' }) },
  { query: modelCard },
  { query: batchProgress, variables: json({ id: '' }) },
];

/**
 * Start a first visit with the first tab. GraphiQL stores the current text and variables separately from
 * its tabs, and reads the first tab's variables only from there.
 */
export function prepareFirstVisit(storage: Storage): void {
  if (storage.getItem('graphiql:tabState') !== null) return;
  const [first] = READY_TABS;
  storage.setItem('graphiql:query', first?.query ?? '');
  storage.setItem('graphiql:variables', first?.variables ?? '');
}
