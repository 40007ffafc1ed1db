/** C headers: layouts as structs with static asserts, enumerations, the board map, the relation catalogue. */
import type { Enumeration, Layout, Relation } from '../vocabulary.js';
import { placeFields } from '../layout/offsets.js';
import * as board from '../layout/board.js';
import * as telemetry from '../layout/telemetry.js';
import * as wire from '../layout/wire.js';
import { buildDeviceTree } from './fdt.js';
import { generatedNotice, hex, quoted, upper } from './text.js';

const cType = { u8: 'uint8_t', u16: 'uint16_t', u32: 'uint32_t', u64: 'uint64_t' } as const;

function header(guard: string, includes: string[], body: string[]): string {
  const lines = [`/* ${generatedNotice} */`, `#ifndef ${guard}`, `#define ${guard}`, ''];
  for (const include of includes) lines.push(`#include <${include}>`);
  return [...lines, '', ...body, '', `#endif /* ${guard} */`, ''].join('\n');
}

function structOf(layout: Layout): string[] {
  const lines = [`/* ${layout.doc} */`, `struct ${layout.name} {`];
  const asserts: string[] = [];
  for (const field of placeFields(layout)) {
    const array = field.count === 1 ? '' : `[${field.count}]`;
    lines.push(`  ${cType[field.type]} ${field.name}${array};${field.doc === '' ? '' : ` /* ${field.doc} */`}`);
    asserts.push(
      `static_assert(offsetof(struct ${layout.name}, ${field.name}) == ${field.offset}, "${layout.name}.${field.name}");`,
    );
  }
  return [
    ...lines,
    '};',
    ...asserts,
    `static_assert(sizeof(struct ${layout.name}) == ${layout.size}, "${layout.name}");`,
    '',
  ];
}

function enumOf(enumeration: Enumeration): string[] {
  const prefix = upper(enumeration.name);
  return [
    `/* ${enumeration.doc} */`,
    `enum ${enumeration.name} {`,
    ...enumeration.entries.map(
      (entry) => `  ${prefix}_${upper(entry.name)} = ${entry.value},${entry.doc === '' ? '' : ` /* ${entry.doc} */`}`,
    ),
    '};',
    '',
  ];
}

export function emitTelemetryHeader(layoutHash: bigint): string {
  const body: string[] = [
    `#define TELEMETRY_MAGIC UINT64_C(${hex(telemetry.magic)})`,
    `#define TELEMETRY_LAYOUT_HASH UINT64_C(${hex(layoutHash)})`,
    `#define TELEMETRY_NO_PAGE UINT64_C(${hex(telemetry.noPage)})`,
    ...Object.entries(telemetry.sectionOffsets).map(([name, at]) => `#define TELEMETRY_OFFSET_${upper(name)} ${at}`),
    `#define VIEW_AREA_MAGIC UINT64_C(${hex(telemetry.viewMagic)})`,
    `#define VIEW_SLOTS ${telemetry.viewSlots}`,
    `#define TELEMETRY_COUNTER_SLOTS ${telemetry.counterSlots}`,
    `#define TELEMETRY_STRING_BYTES ${telemetry.stringBytes}`,
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
    ].flatMap(structOf),
    ...enumOf(telemetry.machineState),
    ...enumOf(telemetry.jitExit),
    '/* JIT_EXIT_LIST(X): X(name) in the order of enum jit_exit, which counts from 0. */',
    `#define JIT_EXIT_COUNT ${telemetry.jitExit.entries.length}`,
    `#define JIT_EXIT_LIST(X) ${telemetry.jitExit.entries.map(({ name }) => `X(${name})`).join(' ')}`,
    ...telemetry.rings.map((ring, number) => `#define RING_${upper(ring.name)} ${number}`),
    `#define RING_COUNT ${telemetry.rings.length}`,
    '/* RING_LIST(X): X(name, record struct, capacity) in ring-number order. */',
    `#define RING_LIST(X) \\`,
    telemetry.rings.map((ring) => `  X(${ring.name}, ${ring.record.name}, ${ring.capacity})`).join(' \\\n'),
    '',
    '/* Counter slots. */',
    'enum counter {',
    ...telemetry.counters.map((counter) => `  COUNTER_${upper(counter.name)}, /* ${counter.unit}: ${counter.doc} */`),
    '  COUNTER_COUNT',
    '};',
    `static_assert(COUNTER_COUNT <= TELEMETRY_COUNTER_SLOTS, "counter slots");`,
  ];
  return header('LINUXSQL_GEN_TELEMETRY_H', ['assert.h', 'stddef.h', 'stdint.h'], body);
}

/** The FDW has no telemetry.h, so its copy carries enum machine_state as well. */
export function emitWireHeader(schemaHash: string, withMachineState: boolean): string {
  const body = [
    `#define WIRE_VERSION ${wire.protocolVersion}`,
    `#define WIRE_HELLO_MAGIC UINT32_C(${hex(wire.helloMagic)})`,
    `#define WIRE_SCHEMA_HASH ${quoted(schemaHash)}`,
    `#define WIRE_MAX_FRAME_BYTES ${wire.maxFrameBytes}`,
    `#define WIRE_MAX_QUAL_DEPTH ${wire.maxQualDepth}`,
    `#define WIRE_MAX_QUAL_NODES ${wire.maxQualNodes}`,
    `#define WIRE_INITIAL_CREDIT ${wire.initialCredit}`,
    '',
    ...structOf(wire.frameHeader),
    ...[
      wire.frameType,
      wire.qualTag,
      wire.qualOperator,
      wire.valueTag,
      wire.columnTypeCode,
      ...(withMachineState ? [telemetry.machineState] : []),
    ].flatMap(enumOf),
  ];
  return header('LINUXSQL_GEN_WIRE_H', ['assert.h', 'stddef.h', 'stdint.h'], body);
}

export function emitBoardHeader(): string {
  const body = [
    `#define BOARD_RAM_BASE UINT64_C(${hex(board.ramBase)})`,
    `#define BOARD_TIMEBASE_HZ ${board.timebaseHz}`,
    `#define BOARD_PLIC_SOURCES ${board.plicSources}`,
    `#define BOARD_VIRTIO_SLOTS ${board.virtioSlots}`,
    `#define BOARD_FIRMWARE_OFFSET UINT64_C(${hex(board.loadOffsets.firmware)})`,
    `#define BOARD_KERNEL_OFFSET UINT64_C(${hex(board.loadOffsets.kernel)})`,
    `#define BOARD_BOOTARGS_CAPACITY ${board.bootargsCapacity}`,
    `#define BOARD_DEFAULT_BOOTARGS ${quoted(board.defaultBootargs)}`,
    `#define BOARD_ISA_STRING ${quoted(board.isaString)}`,
    `#define BOARD_CACHE_BLOCK_BYTES ${board.cacheBlockBytes}`,
    ...[board.bootRom, ...board.devices].flatMap((device) => [
      `#define BOARD_${upper(device.name)}_BASE UINT64_C(${hex(device.base)}) /* ${device.doc} */`,
      `#define BOARD_${upper(device.name)}_SIZE UINT64_C(${hex(device.size)})`,
      ...(device.irq > 0 ? [`#define BOARD_${upper(device.name)}_IRQ ${device.irq}`] : []),
    ]),
    ...Object.entries(board.virtioAssignment).map(([name, slot]) => `#define BOARD_VIRTIO_SLOT_${upper(name)} ${slot}`),
  ];
  return header('LINUXSQL_GEN_BOARD_H', ['stdint.h'], body);
}

export function emitDeviceTreeHeader(): string {
  const blob = buildDeviceTree();
  const rows: string[] = [];
  for (let at = 0; at < blob.length; at += 16) {
    rows.push(
      '  ' + [...blob.subarray(at, at + 16)].map((byte) => `0x${byte.toString(16).padStart(2, '0')},`).join(' '),
    );
  }
  const body = [
    '/* The flattened device tree of the board; vm/fdt.c patches memory, bootargs, initrd and rng-seed in place. */',
    `#define BOARD_DTB_BYTES ${blob.length}`,
    'static const uint8_t board_dtb[BOARD_DTB_BYTES] = {',
    ...rows,
    '};',
  ];
  return header('LINUXSQL_GEN_BOARD_DTB_H', ['stdint.h'], body);
}

export function emitCatalogueHeader(relations: Relation[]): string {
  const maxKey = 4;
  const body: string[] = [
    '/* The compiled relation catalogue: what IMPORT FOREIGN SCHEMA creates and what planning may push. */',
    'struct catalogue_column { const char *name; enum column_type type; bool nullable; const char *doc; };',
    `struct catalogue_key { uint16_t count; uint16_t column[${maxKey}]; };`,
    'struct catalogue_order { uint16_t column; bool descending; };',
    'struct catalogue_relation {',
    '  const char *name; const char *doc; double estimated_rows;',
    '  uint16_t ncolumns; const struct catalogue_column *columns;',
    '  uint16_t nkeys; const struct catalogue_key *keys;',
    '  uint16_t norders; const struct catalogue_order *orders;',
    '};',
    '',
  ];
  for (const relation of relations) {
    const index = (name: string): number => {
      const at = relation.columns.findIndex((column) => column.name === name);
      if (at < 0) throw new Error(`${relation.name}: no column ${name}`);
      return at;
    };
    body.push(`static const struct catalogue_column catalogue_${relation.name}_columns[] = {`);
    for (const column of relation.columns) {
      body.push(
        `  {${quoted(column.name)}, COLUMN_TYPE_${upper(column.type)}, ${column.nullable === true}, ${quoted(column.doc)}},`,
      );
    }
    body.push('};');
    if (relation.keys.length > 0) {
      body.push(`static const struct catalogue_key catalogue_${relation.name}_keys[] = {`);
      for (const key of relation.keys) {
        if (key.length > maxKey) throw new Error(`${relation.name}: key of more than ${maxKey} columns`);
        body.push(`  {${key.length}, {${key.map(index).join(', ')}}},`);
      }
      body.push('};');
    }
    if (relation.orders.length > 0) {
      body.push(`static const struct catalogue_order catalogue_${relation.name}_orders[] = {`);
      for (const order of relation.orders) body.push(`  {${index(order.column)}, ${order.descending}},`);
      body.push('};');
    }
  }
  body.push('static const struct catalogue_relation catalogue_relations[] = {');
  for (const r of relations) {
    const keys = r.keys.length > 0 ? `catalogue_${r.name}_keys` : 'NULL';
    const orders = r.orders.length > 0 ? `catalogue_${r.name}_orders` : 'NULL';
    body.push(
      `  {${quoted(r.name)}, ${quoted(r.doc)}, ${r.estimatedRows}, ${r.columns.length}, catalogue_${r.name}_columns,` +
        ` ${r.keys.length}, ${keys}, ${r.orders.length}, ${orders}},`,
    );
  }
  body.push('};', `#define CATALOGUE_RELATION_COUNT ${relations.length}`);
  return header('LINUXSQL_GEN_RELATIONS_H', ['stdbool.h', 'stddef.h', 'stdint.h'], ['#include "wire.h"', '', ...body]);
}
