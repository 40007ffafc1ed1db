/** TypeScript modules: layout offsets, enumerations, row types and the relation catalogue for introspect. */
import type { ColumnType, Enumeration, Layout, Relation } from '../vocabulary.js';
import { placeFields } from '../layout/offsets.js';
import * as board from '../layout/board.js';
import * as telemetry from '../layout/telemetry.js';
import * as wire from '../layout/wire.js';
import { camel, generatedNotice, pascal } from './text.js';

const notice = `// ${generatedNotice}\n`;

function layoutConst(layout: Layout): string {
  const lines = [`/** ${layout.doc} */`, `export const ${camel(layout.name)} = {`, `  size: ${layout.size},`];
  for (const field of placeFields(layout)) {
    lines.push(
      `  /** ${field.type}${field.count > 1 ? `[${field.count}]` : ''} ${field.doc} */`,
      `  ${camel(field.name)}: ${field.offset},`,
    );
  }
  return [...lines, '} as const;', ''].join('\n');
}

function enumConst(enumeration: Enumeration): string {
  const lines = [`/** ${enumeration.doc} */`, `export const ${camel(enumeration.name)} = {`];
  for (const entry of enumeration.entries)
    lines.push(`  /** ${entry.doc} */`, `  ${camel(entry.name)}: ${entry.value},`);
  return [...lines, '} as const;', ''].join('\n');
}

export function emitTelemetryModule(layoutHash: bigint): string {
  const rings = telemetry.rings.map(
    (ring, number) =>
      `  ${camel(ring.name)}: { number: ${number}, capacity: ${ring.capacity}, record: ${camel(ring.record.name)} },`,
  );
  return [
    notice,
    `export const telemetryMagic = ${telemetry.magic}n;`,
    `export const telemetryLayoutHash = ${layoutHash}n;`,
    `export const noPage = ${telemetry.noPage}n;`,
    `export const sectionOffsets = ${JSON.stringify(telemetry.sectionOffsets)} as const;`,
    `export const viewMagic = ${telemetry.viewMagic}n;`,
    `export const viewSlots = ${telemetry.viewSlots};`,
    `export const counterSlots = ${telemetry.counterSlots};`,
    `export const stringBytes = ${telemetry.stringBytes};`,
    '',
    ...[
      telemetry.ringDescriptor,
      telemetry.header,
      telemetry.hartSnapshot,
      telemetry.pageFaultRecord,
      telemetry.trapRecord,
      telemetry.consoleRecord,
      telemetry.viewAreaHeader,
      telemetry.preimageSlot,
    ].map(layoutConst),
    enumConst(telemetry.machineState),
    `export const rings = {\n${rings.join('\n')}\n} as const;\n`,
    `/** Counters by slot. */\nexport const counters = ${JSON.stringify(telemetry.counters, null, 2)} as const;\n`,
    `export const causeNames: Readonly<Record<number, string>> = ${JSON.stringify(telemetry.causeNames, null, 2)};\n`,
  ].join('\n');
}

export function emitWireModule(schemaHash: string): string {
  return [
    notice,
    `export const protocolVersion = ${wire.protocolVersion};`,
    `export const helloMagic = ${wire.helloMagic};`,
    `export const schemaHash = '${schemaHash}';`,
    `export const maxFrameBytes = ${wire.maxFrameBytes};`,
    `export const maxQualDepth = ${wire.maxQualDepth};`,
    `export const maxQualNodes = ${wire.maxQualNodes};`,
    `export const initialCredit = ${wire.initialCredit};`,
    '',
    layoutConst(wire.frameHeader),
    ...[wire.frameType, wire.qualTag, wire.qualOperator, wire.valueTag, wire.columnTypeCode].map(enumConst),
  ].join('\n');
}

export function emitBoardModule(): string {
  return [
    notice,
    `export const ramBase = ${board.ramBase};`,
    `export const timebaseHz = ${board.timebaseHz};`,
    `export const defaultBootargs = ${JSON.stringify(board.defaultBootargs)};`,
    `export const bootargsCapacity = ${board.bootargsCapacity};`,
    '',
  ].join('\n');
}

const tsType: Record<ColumnType, string> = {
  bool: 'boolean',
  int4: 'number',
  int8: 'bigint | number',
  float8: 'number',
  text: 'string',
  timestamptz: 'bigint | number',
};

export function emitRelationsModule(relations: Relation[]): string {
  const rows = relations.map((relation) => {
    const fields = relation.columns.map(
      (column) =>
        `  /** ${column.doc} */\n  ${column.name}: ${tsType[column.type]}${column.nullable === true ? ' | null' : ''};`,
    );
    return `/** ${relation.doc} */\nexport interface ${pascal(relation.name)}Row {\n${fields.join('\n')}\n}\n`;
  });
  const byName = relations.map((relation) => `  ${relation.name}: ${pascal(relation.name)}Row;`);
  return [
    notice,
    "export type ColumnType = 'bool' | 'int4' | 'int8' | 'float8' | 'text' | 'timestamptz';",
    'export interface CatalogueColumn {\n  readonly name: string;\n  readonly type: ColumnType;\n  readonly nullable: boolean;\n  readonly doc: string;\n}',
    [
      'export interface CatalogueRelation {',
      '  readonly name: RelationName;',
      '  readonly doc: string;',
      "  readonly source: 'guest' | 'telemetry' | 'service';",
      '  readonly columns: readonly CatalogueColumn[];',
      '  /** Column indexes of each key. */',
      '  readonly keys: readonly (readonly number[])[];',
      '  readonly orders: readonly { readonly column: number; readonly descending: boolean }[];',
      '  readonly estimatedRows: number;',
      '}\n',
    ].join('\n'),
    ...rows,
    `export interface RowOf {\n${byName.join('\n')}\n}\nexport type RelationName = keyof RowOf;\n`,
    `export const catalogue: readonly CatalogueRelation[] = ${JSON.stringify(relations.map(catalogueEntry), null, 2)};\n`,
  ].join('\n');
}

function catalogueEntry(relation: Relation): object {
  const index = (name: string): number => relation.columns.findIndex((column) => column.name === name);
  return {
    name: relation.name,
    doc: relation.doc,
    source: relation.source,
    columns: relation.columns.map((column) => ({
      name: column.name,
      type: column.type,
      nullable: column.nullable === true,
      doc: column.doc,
    })),
    keys: relation.keys.map((key) => key.map(index)),
    orders: relation.orders.map((order) => ({ column: index(order.column), descending: order.descending })),
    estimatedRows: relation.estimatedRows,
  };
}
