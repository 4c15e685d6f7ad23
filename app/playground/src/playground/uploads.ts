/** The `Upload` variables of an operation and the files picked for them. */

import type { OperationDefinitionNode, TypeNode } from 'graphql';
import type { PickedFiles } from '../shared/multipart';
import { Store } from '../shared/store';

export interface UploadVariable {
  name: string;
  /** Whether it takes a list of files. */
  list: boolean;
}

export function uploadVariables(operation: OperationDefinitionNode | undefined): UploadVariable[] {
  return (operation?.variableDefinitions ?? []).flatMap(({ variable, type }) => {
    const { name, list } = named(type);
    return name === 'Upload' ? [{ name: variable.name.value, list }] : [];
  });
}

/** The operation to run: the one with this name, or the first. */
export function chosenOperation(
  operations: readonly OperationDefinitionNode[],
  name: string | null | undefined,
): OperationDefinitionNode | undefined {
  return operations.find((operation) => operation.name?.value === name) ?? operations[0];
}

/** The picked files by variable name, kept while the operation is edited. */
export const picked = new Store<Readonly<Record<string, readonly File[]>>>({});

export function pick(variable: UploadVariable, files: readonly File[]): void {
  picked.set({ ...picked.get(), [variable.name]: variable.list ? files : files.slice(0, 1) });
}

/** The files to send, and the names of variables without a file. */
export function filesFor(variables: readonly UploadVariable[]): {
  files: PickedFiles;
  missing: string[];
} {
  const files: PickedFiles = {};
  const missing: string[] = [];
  for (const { name, list } of variables) {
    const chosen = picked.get()[name] ?? [];
    const first = chosen[0];
    if (!first) missing.push(name);
    else files[name] = list ? [...chosen] : first;
  }
  return { files, missing };
}

function named(type: TypeNode, list = false): UploadVariable {
  return type.kind === 'NamedType'
    ? { name: type.name.value, list }
    : named(type.type, list || type.kind === 'ListType');
}
