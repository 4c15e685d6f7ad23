// The schema, the SQL and the connection pool of the Node peers.

import postgres from "postgres";

// This driver rejects the URL's parameters.
const sql = postgres(process.env.DATABASE_URL.split("?")[0], { max: 8 });

export const typeDefs = `
  type Genre { name: String! songCount: Int }
  type Song { trackId: ID! title: String! confidence: Float! genre: Genre! }
  type SongEdge { cursor: String! node: Song! }
  type PageInfo { hasNextPage: Boolean! endCursor: String }
  type SongConnection { edges: [SongEdge!]! pageInfo: PageInfo! }
  type Query {
    genres: [Genre!]!
    songs(genre: String!, first: Int!, after: String): SongConnection!
  }
`;

const cursor = (row) => Buffer.from(`TITLE\0${row.title}\0${row.trackId}`).toString("base64");

async function page(genre, first, after) {
  if (!after) {
    return sql`
      SELECT track_id::text AS "trackId", title, genre AS name, confidence FROM songs
      WHERE genre = ${genre} ORDER BY songs.title, songs.track_id LIMIT ${first + 1}`;
  }
  const [, title, trackId] = Buffer.from(after, "base64").toString().split("\0");
  return sql`
    SELECT track_id::text AS "trackId", title, genre AS name, confidence FROM songs
    WHERE genre = ${genre} AND (title, track_id) > (${title}, ${trackId}::bigint)
    ORDER BY songs.title, songs.track_id LIMIT ${first + 1}`;
}

export const resolvers = {
  Query: {
    genres: () => sql`
      SELECT genre AS name, song_count::int AS "songCount" FROM genre_counts
      WHERE song_count > 0 ORDER BY genre`,
    songs: async (_, { genre, first, after }) => {
      const rows = await page(genre, first, after);
      const hasNextPage = rows.length > first;
      const edges = rows.slice(0, first).map((row) => ({
        cursor: cursor(row),
        node: { trackId: row.trackId, title: row.title, confidence: row.confidence, genre: { name: row.name } },
      }));
      return { edges, pageInfo: { hasNextPage, endCursor: edges.at(-1)?.cursor ?? null } };
    },
  },
};
