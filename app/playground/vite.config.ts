import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

/** Writes a compressed copy of each text file, which the service sends to clients that accept it. */
const compressed: Plugin = {
  name: 'compressed',
  async writeBundle({ dir = '' }, bundle) {
    for (const fileName of Object.keys(bundle)) {
      if (!/\.(css|html|js)$/.test(fileName)) continue;
      const path = join(dir, fileName);
      await writeFile(`${path}.gz`, gzipSync(await readFile(path), { level: 9 }));
    }
  },
};

/** Removes the fonts in GraphiQL's style sheet: the pages have their own, and Monaco has its icons. */
const withoutFonts: Plugin = {
  name: 'without-fonts',
  enforce: 'pre',
  transform(code, id) {
    return /graphiql\/dist\/style\.css/.test(id)
      ? code.replaceAll(/@font-face\s*\{[^}]*\}/g, '')
      : undefined;
  },
};

// Two pages: index.html, and playground.html with GraphiQL. Relative paths, so that both work behind a
// proxy that serves genregraph under a path prefix.
export default defineConfig({
  base: './',
  plugins: [withoutFonts, react(), compressed],
  worker: { format: 'es' },
  server: { proxy: { '/graphql': 'http://127.0.0.1:8000', '/assets': 'http://127.0.0.1:8000' } },
  build: {
    rolldownOptions: {
      input: ['index.html', 'playground.html'],
      // GraphiQL's "use no memo" is a directive for a compiler that is not used here.
      checks: { moduleLevelDirective: false },
    },
    assetsInlineLimit: 0, // a data: script or style would break the Content-Security-Policy
    modulePreload: { polyfill: false },
    license: { fileName: 'licenses.md' }, // required by the licences of bundled packages
    chunkSizeWarningLimit: 8000, // Monaco
  },
});
