/**
 * A running scan: takes items from a source, tests them, and fills row batches. The qual tree is always
 * applied whole; sort and limit follow it. fill() stops at the batch's end or after a bounded amount of
 * work, so one scan never holds the service for long.
 */
import { LayoutError } from '../btf/layout.js';
import type { Budget } from '../memory/budget.js';
import { GuestFault, WalkCut } from '../memory/guest-fault.js';
import type { RowWriter } from '../server/row-writer.js';
import type { ScanPlan } from './parse-open.js';
import type { ReadColumn } from './qual.js';
import type { RecordColumn, RecordRun } from './record-columns.js';
import type { RowSource, RowValues } from './row-source.js';
import { compareValues, type Value } from './value.js';

/** What of a scan's plan decides its rows. */
export type CursorPlan = Pick<ScanPlan, 'relation' | 'columns' | 'test' | 'sort' | 'limit'>;

const itemsPerTurn = 2048;
/** A turn ends after this long even if items are slow to read; looked at every few items. */
const turnMs = 4;
const itemsPerLook = 32;

export class Cursor {
  readonly #plan: CursorPlan;
  readonly #source: RowSource;
  readonly #budget: Budget;
  readonly #iterator: Iterator<unknown>;
  #values: RowValues;
  readonly #read: ReadColumn;
  /** The plan's columns, of a relation whose rows can be made of records. */
  readonly #records: readonly RecordColumn[] | undefined;
  /** When every record is a row. */
  readonly #runs: Iterator<RecordRun> | undefined;
  #run: RecordRun = { item: 0, step: 0, count: 0 };
  #item: unknown;
  #sorted: unknown[] | undefined;
  #sortedAt = 0;
  #collected: { key: Value; item: unknown }[] | undefined;
  sent = 0;
  examined = 0;

  constructor(plan: CursorPlan, source: RowSource, budget: Budget) {
    this.#plan = plan;
    this.#source = source;
    this.#budget = budget;
    this.#iterator = source.items[Symbol.iterator]();
    this.#values = this.#unread();
    this.#read = (column) => this.#column(column);
    const { records } = source;
    this.#records = records && plan.columns.map((column) => records.columns[column]!);
    const { sort } = plan;
    const given = source.sortedBy;
    if (sort && !(given && given.column === sort.column && given.descending === sort.descending)) this.#collected = [];
    if (!plan.test && !this.#collected) this.#runs = records?.runs[Symbol.iterator]();
  }

  /** Whether some walk was cut short. */
  get cut(): boolean {
    return this.#budget.cutReason !== undefined;
  }

  /** Adds rows to the writer; false when the scan has ended, true when there may be more. */
  fill(writer: RowWriter): boolean {
    try {
      return this.#runs ? this.#copyRuns(this.#runs, writer) : this.#work(writer);
    } catch (error) {
      if (!(error instanceof WalkCut)) throw error;
      // The budget ran out in the middle of a row: what is whole stands, and the answer says it was cut.
      this.#budget.cut(error.message);
      writer.dropRow();
      return this.#end();
    }
  }

  #work(writer: RowWriter): boolean {
    const started = performance.now();
    for (let turn = 0; turn < itemsPerTurn; turn++) {
      if (turn % itemsPerLook === itemsPerLook - 1 && performance.now() - started > turnMs) return true;
      if (this.#plan.limit >= 0 && this.sent >= this.#plan.limit) return this.#end();
      if (writer.full) return true;
      if (this.#collected) {
        if (!this.#collect()) this.#sortCollected();
        continue;
      }
      if (this.#sorted) {
        if (this.#sortedAt >= this.#sorted.length) return this.#end();
        this.#take(this.#sorted[this.#sortedAt++]);
      } else {
        const next = this.#advance();
        if (next === undefined) return this.#end();
        this.examined++;
        this.#take(next);
        if (this.#plan.test && this.#plan.test(this.#read) !== true) continue;
      }
      this.#write(writer);
      this.sent++;
    }
    return true;
  }

  /** Whole runs of records, to the batch's end. */
  #copyRuns(runs: Iterator<RecordRun>, writer: RowWriter): boolean {
    const { limit } = this.#plan;
    while (!writer.full) {
      if (limit >= 0 && this.sent >= limit) return this.#end();
      if (this.#run.count === 0) {
        const next = this.#next(runs);
        if (next === undefined) return this.#end();
        this.#run = { ...next };
      }
      const { item, step, count } = this.#run;
      const most = limit >= 0 ? Math.min(count, limit - this.sent) : count;
      const added = writer.addRecords(this.#records!, this.#source.records!.words(), item, step, most);
      this.#run = { item: item + added * step, step, count: count - added };
      this.examined += added;
      this.sent += added;
    }
    return true;
  }

  #end(): false {
    this.close();
    return false;
  }

  close(): void {
    this.#iterator.return?.();
    this.#runs?.return?.();
  }

  #advance(): unknown {
    return this.#next(this.#iterator);
  }

  #next<T>(iterator: Iterator<T>): T | undefined {
    try {
      const next = iterator.next();
      return next.done === true ? undefined : next.value;
    } catch (error) {
      if (!(error instanceof GuestFault)) throw error;
      this.#budget.cut(error.message);
      return undefined;
    }
  }

  #take(item: unknown): void {
    this.#item = item;
    const { kept } = this.#source;
    if (kept) {
      let values = kept.get(item as object);
      if (!values) kept.set(item as object, (values = this.#unread()));
      this.#values = values;
    } else if (!this.#records || this.#plan.test || this.#plan.sort) this.#values.fill(undefined);
  }

  #unread(): RowValues {
    return new Array<Value | undefined>(this.#plan.relation.columns.length).fill(undefined);
  }

  #collect(): boolean {
    const next = this.#advance();
    if (next === undefined) return false;
    this.examined++;
    this.#take(next);
    if (!this.#plan.test || this.#plan.test(this.#read) === true) {
      this.#collected!.push({ key: this.#column(this.#plan.sort!.column), item: next });
    }
    return true;
  }

  #sortCollected(): void {
    const { descending, nullsFirst } = this.#plan.sort!;
    const sign = descending ? -1 : 1;
    this.#collected!.sort((a, b) => {
      if (a.key === null || b.key === null) return a.key === b.key ? 0 : (a.key === null) === nullsFirst ? -1 : 1;
      return sign * compareValues(a.key, b.key);
    });
    this.#sorted = this.#collected!.map((entry) => entry.item);
    this.#collected = undefined;
  }

  #column(column: number): Value {
    const known = this.#values[column];
    if (known !== undefined) return known;
    if (column === this.#source.qualityColumn) {
      for (let other = 0; other < this.#values.length; other++) if (other !== column) this.#column(other);
    }
    let value: Value;
    try {
      value = this.#source.columns[column]!(this.#item);
      const noAddress = value !== value && this.#plan.relation.columns[column]!.type !== 'float8';
      if (noAddress) value = this.#missing(column, 'not an address');
    } catch (error) {
      const expected = (error instanceof GuestFault && !(error instanceof WalkCut)) || error instanceof LayoutError;
      if (!expected) throw error;
      value = this.#missing(column, error.message);
    }
    this.#values[column] = value;
    return value;
  }

  /** A column that could not be read: null where the relation allows it, else −1 or empty, and a note. */
  #missing(column: number, reason: string): Value {
    const { name, nullable, type } = this.#plan.relation.columns[column]!;
    if (this.#source.note) this.#source.note(this.#item, `${name}: ${reason}`);
    else this.#budget.cut(`${name}: ${reason}`);
    return nullable ? null : type === 'text' ? '' : type === 'bool' ? false : -1;
  }

  #write(writer: RowWriter): void {
    const { columns } = this.#plan;
    if (this.#records) {
      writer.addRecords(this.#records, this.#source.records!.words(), this.#item as number, 0, 1);
      return;
    }
    writer.beginRow();
    for (let slot = 0; slot < columns.length; slot++) writer.value(slot, this.#column(columns[slot]!));
    writer.endRow();
  }
}
