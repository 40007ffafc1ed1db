/** Frames of both Unix-socket protocols; docs/protocol.md gives each payload. */
import type { Enumeration, Layout } from '../vocabulary.js';

export const protocolVersion = 1;
export const helloMagic = 0x4c51534c; // "LSQL"
/** Largest payload of one frame, bytes; a longer one is a protocol error. */
export const maxFrameBytes = 1 << 20;
export const maxQualDepth = 16;
export const maxQualNodes = 16384;
export const initialCredit = 4;

export const frameHeader: Layout = {
  name: 'frame_header',
  doc: 'Precedes every payload; little-endian.',
  size: 16,
  fields: [
    { name: 'length', type: 'u32', doc: 'payload bytes after this header' },
    { name: 'type', type: 'u8', doc: 'enum frame_type' },
    { name: 'flags', type: 'u8', doc: 'bit 0: optional, an unknown type is skipped' },
    { name: 'stream', type: 'u16', doc: 'zero in version 1' },
    { name: 'request', type: 'u64', doc: 'chosen by the client, echoed in every answer' },
  ],
};

export const frameType: Enumeration = {
  name: 'frame_type',
  doc: 'c→s = client to server.',
  entries: [
    { name: 'hello', value: 1, doc: 'c→s, first frame' },
    { name: 'welcome', value: 2, doc: 's→c' },
    { name: 'schema', value: 3, doc: 'c→s asks, s→c answers: relations, columns, estimates' },
    { name: 'open', value: 4, doc: 'c→s: start a scan' },
    { name: 'data', value: 6, doc: 's→c: a batch of rows' },
    { name: 'credit', value: 7, doc: 'c→s: n more batches may be sent' },
    { name: 'cancel', value: 8, doc: 'c→s: stop the request; answered by done or error' },
    { name: 'done', value: 9, doc: 's→c: end of a scan' },
    { name: 'error', value: 10, doc: 's→c: the request failed' },
    { name: 'ping', value: 11, doc: 'c→s' },
    { name: 'pong', value: 12, doc: 's→c' },
    { name: 'notice', value: 13, doc: 's→c, optional' },
    { name: 'view_open', value: 14, doc: 'c→s: fix an instant of a machine' },
    { name: 'view', value: 15, doc: 's→c: the instant' },
    { name: 'view_close', value: 16, doc: 'c→s, answered by done' },
    { name: 'resolve', value: 17, doc: 'c→s: a condition in kernel words' },
    { name: 'resolved', value: 18, doc: 's→c: the same in hart words' },
    { name: 'replay', value: 30, doc: 'c→s: replay a paused machine to where it stands' },
    { name: 'replayed', value: 31, doc: 's→c: both hashes' },
    { name: 'vm_status', value: 64, doc: 'c→s' },
    { name: 'vm_state', value: 65, doc: 's→c: also the answer to run, pause, stop' },
    { name: 'vm_run', value: 66, doc: 'c→s: run, idle paced to host time' },
    { name: 'vm_pause', value: 67, doc: 'c→s: stop at an instruction boundary' },
    { name: 'vm_step', value: 68, doc: 'c→s: run until a condition' },
    { name: 'vm_stepped', value: 69, doc: 's→c' },
    { name: 'vm_stop', value: 70, doc: 'c→s: flush, and end the daemon' },
    { name: 'vm_console_write', value: 71, doc: 'c→s: console input; answered by done' },
    { name: 'vm_console_attach', value: 72, doc: 'c→s: stream console output until cancelled' },
    { name: 'vm_console', value: 73, doc: 's→c: output bytes' },
    { name: 'vm_map', value: 74, doc: 'c→s: ask for the shared memory' },
    { name: 'vm_mapped', value: 75, doc: 's→c, with three file descriptors (RAM, telemetry, views) by SCM_RIGHTS' },
    { name: 'vm_view_open', value: 76, doc: 'c→s: fix an instant' },
    { name: 'vm_view', value: 77, doc: 's→c' },
    { name: 'vm_view_close', value: 78, doc: 'c→s, answered by done' },
    { name: 'vm_checkpoint', value: 80, doc: 'c→s: save the machine in the database' },
    { name: 'vm_checkpointed', value: 81, doc: 's→c, once it is committed' },
    { name: 'vm_restore', value: 82, doc: 'c→s: go on from a checkpoint; answered by vm_state' },
    { name: 'vm_hash', value: 83, doc: 'c→s: the hash of the whole state' },
    { name: 'vm_hashed', value: 84, doc: 's→c' },
    { name: 'vm_begin', value: 85, doc: 'c→s: what is done from now on can be undone; answered by done' },
    { name: 'vm_commit', value: 86, doc: 'c→s: keep it; answered by done' },
    { name: 'vm_rollback', value: 87, doc: 'c→s: undo it; answered by done' },
    { name: 'vm_forward', value: 90, doc: 'c→s: let a port of the host lead to the guest; answered by done' },
    { name: 'vm_forward_remove', value: 91, doc: 'c→s, answered by done' },
    { name: 'vm_load', value: 92, doc: 'c→s: have memory loaded from its checkpoint; answered by done at once' },
    { name: 'vm_log_sync', value: 100, doc: 'c→s: answered by done once every input taken so far is committed' },
  ],
};

export const qualTag: Enumeration = {
  name: 'qual_tag',
  doc: 'Node tags of a qual tree, prefix order.',
  entries: [
    { name: 'true', value: 0, doc: 'no qual' },
    { name: 'and', value: 1, doc: 'u16 n, n nodes' },
    { name: 'or', value: 2, doc: 'u16 n, n nodes' },
    { name: 'compare', value: 4, doc: 'u8 operator, u16 column, value' },
    { name: 'in', value: 5, doc: 'u16 column, u16 n, n values' },
    { name: 'is_null', value: 6, doc: 'u16 column' },
    { name: 'is_not_null', value: 7, doc: 'u16 column' },
    { name: 'prefix', value: 8, doc: 'u16 column, text value: column starts with it, bytewise' },
  ],
};

export const qualOperator: Enumeration = {
  name: 'qual_operator',
  doc: 'Comparison operators. Text compares bytewise (C collation).',
  entries: [
    { name: 'eq', value: 1, doc: '=' },
    { name: 'ne', value: 2, doc: '<>' },
    { name: 'lt', value: 3, doc: '<' },
    { name: 'le', value: 4, doc: '<=' },
    { name: 'gt', value: 5, doc: '>' },
    { name: 'ge', value: 6, doc: '>=' },
  ],
};

export const valueTag: Enumeration = {
  name: 'value_tag',
  doc: 'Typed values in quals.',
  entries: [
    { name: 'null', value: 0, doc: 'nothing follows; a comparison with it is never true' },
    { name: 'int', value: 1, doc: 'i64: bool (0, 1), int4, int8, timestamptz (µs since 2000-01-01 UTC)' },
    { name: 'float', value: 2, doc: 'f64' },
    { name: 'text', value: 3, doc: 'str' },
  ],
};

export const columnTypeCode: Enumeration = {
  name: 'column_type',
  doc: 'Column types in SCHEMA answers; order of ColumnType in vocabulary.ts.',
  entries: [
    { name: 'bool', value: 1, doc: '' },
    { name: 'int4', value: 2, doc: '' },
    { name: 'int8', value: 3, doc: '' },
    { name: 'float8', value: 4, doc: '' },
    { name: 'text', value: 5, doc: '' },
    { name: 'timestamptz', value: 6, doc: '' },
  ],
};
