/** The rows of vm-core/isa/insn.def, read from the file itself: a new row is under test without a change here. */
import { readFileSync } from 'node:fs';
import { checkout } from '../../cli/src/base/paths.js';

export interface Row {
  readonly name: string;
  readonly match: number;
  readonly mask: number;
  readonly format: string;
  readonly extension: string;
}

/** With a slash at its end; the same for a test and for a command compiled into another folder. */
export const repositoryRoot = `${checkout}/`;

export function readRows(): Row[] {
  const text = readFileSync(`${repositoryRoot}vm-core/isa/insn.def`, 'utf8');
  const pattern = /^INSN\((\w+),\s*0x([0-9a-f]{8}),\s*0x([0-9a-f]{8}),\s*(\w+),\s*(\w+),/gm;
  const rows = [...text.matchAll(pattern)].map(([, name, match, mask, format, extension]) => ({
    name: name ?? '',
    match: parseInt(match ?? '', 16),
    mask: parseInt(mask ?? '', 16),
    format: format ?? '',
    extension: extension ?? '',
  }));
  const lines = text.split('\n').filter((line) => line.startsWith('INSN(')).length;
  if (rows.length !== lines || rows.length === 0)
    throw new Error(`insn.def: ${lines} rows, of which ${rows.length} could be read`);
  return rows;
}

/** Rows by name; throws for a name the table lost. */
export function rowNamed(rows: readonly Row[], name: string): Row {
  const row = rows.find((r) => r.name === name);
  if (!row) throw new Error(`insn.def has no row ${name}`);
  return row;
}

export const mnemonic = (row: Row): string => row.name.replaceAll('_', '.');
