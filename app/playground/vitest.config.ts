import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const library = (path: string) => fileURLToPath(new URL(`node_modules/${path}`, import.meta.url));

// There must be one copy of graphql; Node would load different builds for the tests and for this library.
export default defineConfig({
  resolve: {
    alias: {
      graphql: library('graphql/index.mjs'),
      'graphql-language-service': library('graphql-language-service/esm/index.js'),
    },
  },
  test: { server: { deps: { inline: [/graphql/] } } },
});
