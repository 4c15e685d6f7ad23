/** Uploads according to the GraphQL multipart request specification. */

export interface Operation {
  query: string;
  variables?: Record<string, unknown> | null;
  operationName?: string | null;
}

/** Files by the name of their variable; a list of files if the variable is a list. */
export type PickedFiles = Record<string, File | File[]>;

export function multipartBody(operation: Operation, files: PickedFiles): FormData {
  const variables: Record<string, unknown> = { ...operation.variables };
  const map: Record<string, string[]> = {};
  const parts: File[] = [];
  const place = (file: File, path: string) => {
    map[parts.length] = [path];
    parts.push(file);
  };
  for (const [name, picked] of Object.entries(files)) {
    if (Array.isArray(picked)) {
      variables[name] = picked.map(() => null);
      for (const [index, file] of picked.entries()) place(file, `variables.${name}.${index}`);
    } else {
      variables[name] = null;
      place(picked, `variables.${name}`);
    }
  }
  // The specification requires this order.
  const body = new FormData();
  body.append('operations', JSON.stringify({ ...operation, variables }));
  body.append('map', JSON.stringify(map));
  for (const [index, file] of parts.entries()) body.append(String(index), file, file.name);
  return body;
}
