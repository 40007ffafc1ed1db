/** Every generated file: path from the project's root, and its content. */
import { createHash } from 'node:crypto';
import { relations } from './relations/index.js';
import * as telemetry from './layout/telemetry.js';
import * as wire from './layout/wire.js';
import * as c from './emit/c.js';
import * as ts from './emit/ts.js';
import { deviceTreeSource } from './emit/fdt.js';
import { emitWirePython } from './emit/py.js';
import { emitExtensionScript } from './emit/sql.js';
import { emitFunctionsPage } from './emit/functions-page.js';
import { emitRelationsPage } from './emit/markdown.js';

function digest(facts: unknown): string {
  const text = JSON.stringify(facts, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
  return createHash('sha256').update(text).digest('hex');
}

export function generatedFiles(): Map<string, string> {
  const layoutHash = BigInt(`0x${digest({ ...telemetry }).slice(0, 16)}`);
  const schemaHash = digest({ relations, wire: { ...wire } }).slice(0, 16);
  return new Map([
    ['vm-core/gen/telemetry.h', c.emitTelemetryHeader(layoutHash)],
    ['vm-core/gen/wire.h', c.emitWireHeader(schemaHash, false)],
    ['vm-core/gen/board.h', c.emitBoardHeader()],
    ['vm-core/gen/board_dtb.h', c.emitDeviceTreeHeader()],
    ['fdw/gen/wire.h', c.emitWireHeader(schemaHash, true)],
    ['fdw/gen/relations.h', c.emitCatalogueHeader(relations)],
    ['fdw/sql/linuxsql--0.1.0.sql', emitExtensionScript(relations)],
    ['introspect/src/gen/telemetry.ts', ts.emitTelemetryModule(layoutHash)],
    ['introspect/src/gen/wire.ts', ts.emitWireModule(schemaHash)],
    ['introspect/src/gen/board.ts', ts.emitBoardModule()],
    ['introspect/src/gen/relations.ts', ts.emitRelationsModule(relations)],
    ['firmware/gen/board.dts', deviceTreeSource()],
    ['fdw/multicorn/linuxsql_multicorn/gen/wire.py', emitWirePython()],
    ['docs/functions.md', emitFunctionsPage()],
    ['docs/relations.md', emitRelationsPage(relations)],
  ]);
}
