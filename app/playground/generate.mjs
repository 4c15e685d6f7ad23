// Writes src/page/operations.generated.ts, the typed client, from schema.graphql and the operations.
// `--check` only tells whether the file is in step, for CI.
import { readFile, writeFile } from 'node:fs/promises';
import { codegen } from '@graphql-codegen/core';
import * as typedDocumentNode from '@graphql-codegen/typed-document-node';
import * as operations from '@graphql-codegen/typescript-operations';
import { parse } from 'graphql';

const read = (path) => readFile(new URL(path, import.meta.url), 'utf8');
const target = 'src/page/operations.generated.ts';
const source = 'src/page/operations.graphql';

const made = await codegen({
  filename: target,
  schema: parse(await read('../../schema.graphql')),
  documents: [{ location: source, document: parse(await read(source)) }],
  config: {
    documentMode: 'string',
    enumsAsTypes: true,
    useTypeImports: true,
    strictScalars: true,
    scalars: { DateTime: 'string', Upload: 'File' },
    skipTypename: true,
  },
  plugins: [{ operations: {} }, { typedDocumentNode: {} }],
  pluginMap: { operations, typedDocumentNode },
});
const text = `// Made by \`npm run generate\` from schema.graphql and operations.graphql.\n${made}`;

if (!process.argv.includes('--check')) {
  await writeFile(new URL(target, import.meta.url), text);
} else if ((await read(target).catch(() => '')) !== text) {
  console.error(`${target} does not match schema.graphql and ${source}: run npm run generate`);
  process.exit(1);
}
