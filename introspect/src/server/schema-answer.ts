/** The SCHEMA answer: every relation with columns, keys, orders and a row estimate. */
import { catalogue, type CatalogueRelation, type RelationName } from '../gen/relations.js';
import { columnType, frameType } from '../gen/wire.js';
import type { Machines } from '../machine/machines.js';
import { FrameWriter } from '../wire/payload.js';
import { IntrospectError } from '../errors.js';

export async function schemaAnswer(machine: string, machines: Machines, request: bigint): Promise<Buffer> {
  const estimates = await liveEstimates(machine, machines);
  const out = new FrameWriter().u16(catalogue.length);
  for (const relation of catalogue) writeRelation(out, relation, estimates[relation.name] ?? relation.estimatedRows);
  return out.frame(frameType.schema, request);
}

function writeRelation(out: FrameWriter, relation: CatalogueRelation, rows: number): void {
  out.text(relation.name).text(relation.doc).f64(rows).u16(relation.columns.length);
  for (const column of relation.columns) {
    out
      .text(column.name)
      .u8(columnType[column.type])
      .u8(column.nullable ? 1 : 0)
      .text(column.doc);
  }
  out.u16(relation.keys.length);
  for (const key of relation.keys) {
    out.u16(key.length);
    for (const column of key) out.u16(column);
  }
  out.u16(relation.orders.length);
  for (const { column, descending } of relation.orders) out.u16(column).u8(descending ? 1 : 0);
}

/** What is known without stopping the machine: what earlier scans gave, and ring lengths. A machine that is away gets the catalogue's figures. */
async function liveEstimates(machine: string, machines: Machines): Promise<Partial<Record<RelationName, number>>> {
  try {
    const { mapping, rowCounts } = await machines.peek(machine).link();
    const held = (ring: 'pageFaults' | 'traps' | 'console') => {
      const { oldest, committed } = mapping.telemetry.ring(ring).extent();
      return Math.max(1, committed - oldest);
    };
    return {
      ...Object.fromEntries(rowCounts),
      page_faults: held('pageFaults'),
      traps: held('traps'),
      console: held('console'),
      machines: machines.names().length,
    };
  } catch (error) {
    if (error instanceof IntrospectError) return {};
    throw error;
  }
}
