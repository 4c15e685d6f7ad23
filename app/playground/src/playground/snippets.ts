/** The current operation as code: for curl, fetch in Node.js, and Python. */

import type { Operation, PickedFiles } from '../shared/multipart';

export const LANGUAGES = ['cURL', 'fetch', 'Python'] as const;
export type Language = (typeof LANGUAGES)[number];

/** Names of files by the path of their variable, such as `variables.file`. */
type FileNames = Array<[path: string, name: string]>;

/**
 * Return code that sends an operation. It reads the credentials from the environment, so that pasting it
 * somewhere reveals no secret.
 */
export function snippet(
  language: Language,
  endpoint: string,
  operation: Operation,
  files: PickedFiles,
): string {
  const names: FileNames = Object.entries(files).flatMap(([variable, given]) =>
    Array.isArray(given)
      ? given.map(({ name }, place) => [`variables.${variable}.${place}`, name] as [string, string])
      : [[`variables.${variable}`, given.name] as [string, string]],
  );
  const variables = { ...operation.variables };
  for (const [variable, given] of Object.entries(files)) {
    variables[variable] = Array.isArray(given) ? given.map(() => null) : null;
  }
  const body = { ...operation, variables };
  return { cURL: curl, fetch: fetchCode, Python: python }[language](endpoint, body, names);
}

const indented = (value: unknown) => JSON.stringify(value, null, 2);
const mapOf = (files: FileNames) =>
  Object.fromEntries(files.map(([path], place) => [String(place), [path]]));

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** Escape a file name for -F, between double quotes. */
const formName = (name: string) => name.replaceAll('\\', '\\\\').replaceAll('"', '\\"');

function curl(endpoint: string, body: Operation, files: FileNames): string {
  const lines = [
    `curl ${quoted(endpoint)}`,
    `-H "client-id: $CLIENT_ID"`,
    `-H "client-secret: $CLIENT_SECRET"`,
  ];
  if (files.length === 0) {
    lines.push(`-H 'content-type: application/json'`, `-d ${quoted(indented(body))}`);
  } else {
    lines.push(
      `-H 'graphql-preflight: 1'`,
      `--form-string ${quoted(`operations=${indented(body)}`)}`,
      `--form-string ${quoted(`map=${JSON.stringify(mapOf(files))}`)}`,
      ...files.map(([, name], place) => `-F ${quoted(`${place}=@"${formName(name)}"`)}`),
    );
  }
  return `${lines.join(' \\\n  ')}\n`;
}

function fetchCode(endpoint: string, body: Operation, files: FileNames): string {
  const headers = `    'client-id': process.env.CLIENT_ID,
    'client-secret': process.env.CLIENT_SECRET,`;
  const send = (
    header: string,
    content: string,
  ) => `const response = await fetch(${JSON.stringify(endpoint)}, {
  method: 'POST',
  headers: {
${headers}
    ${header},
  },
  body${content},
});
console.log(await response.json());
`;
  if (files.length === 0) {
    return `const body = ${indented(body)};
${send("'content-type': 'application/json'", ': JSON.stringify(body)')}`;
  }
  const appended = files.map(
    ([, name], place) =>
      `body.append('${place}', new Blob([await readFile(${JSON.stringify(name)})]), ${JSON.stringify(name)});`,
  );
  return `import { readFile } from 'node:fs/promises';

const body = new FormData();
body.append('operations', JSON.stringify(${indented(body)}));
body.append('map', JSON.stringify(${JSON.stringify(mapOf(files))}));
${appended.join('\n')}
${send("'graphql-preflight': '1'", '')}`;
}

function python(endpoint: string, body: Operation, files: FileNames): string {
  const headers = [
    '"client-id": os.environ["CLIENT_ID"]',
    '"client-secret": os.environ["CLIENT_SECRET"]',
    ...(files.length > 0 ? ['"graphql-preflight": "1"'] : []),
  ];
  const opened = files.map(
    ([, name], place) => `    "${place}": open(${JSON.stringify(name)}, "rb"),\n`,
  );
  const content =
    files.length > 0
      ? `    data={"operations": json.dumps(body), "map": json.dumps(${JSON.stringify(mapOf(files))})},
    files=files,`
      : '    json=body,';
  const opening = files.length > 0 ? `files = {\n${opened.join('')}}\n` : '';
  return `import json
import os

import httpx  # pip install httpx

body = json.loads(${pythonText(indented(body))})
${opening}response = httpx.post(
    ${JSON.stringify(endpoint)},
    headers={${headers.join(', ')}},
${content}
    timeout=300,
)
print(json.dumps(response.json(), indent=2))
`;
}

/** A raw multi-line string, which JSON can only break by three double quotes. */
const pythonText = (json: string) =>
  json.includes("'''") || json.endsWith('\\') ? JSON.stringify(json) : `r'''${json}'''`;
