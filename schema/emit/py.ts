/** Python constants of the row protocol, for the Multicorn adapter. */
import type { Enumeration } from '../vocabulary.js';
import * as wire from '../layout/wire.js';
import { generatedNotice, upper } from './text.js';

function constants(enumeration: Enumeration): string[] {
  const prefix = upper(enumeration.name);
  return [
    `# ${enumeration.doc}`,
    ...enumeration.entries.map((entry) => `${prefix}_${upper(entry.name)} = ${entry.value}`),
    '',
  ];
}

export function emitWirePython(): string {
  return [
    `# ${generatedNotice}`,
    `PROTOCOL_VERSION = ${wire.protocolVersion}`,
    `HELLO_MAGIC = 0x${wire.helloMagic.toString(16)}`,
    `MAX_FRAME_BYTES = ${wire.maxFrameBytes}`,
    `MAX_QUAL_NODES = ${wire.maxQualNodes}`,
    `INITIAL_CREDIT = ${wire.initialCredit}`,
    `FRAME_HEADER_BYTES = ${wire.frameHeader.size}`,
    '',
    ...[wire.frameType, wire.qualTag, wire.qualOperator, wire.valueTag, wire.columnTypeCode].flatMap(constants),
  ].join('\n');
}
