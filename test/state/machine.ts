/** A machine of the database driven by SQL, for the tests of its state. */
import type pg from 'pg';
import { startChain, type Chain, type ChainOptions } from '../harness/chain.js';

export const prompt = 'linuxsql:~# ';

export interface Step {
  stopped_by: string;
  condition_met: boolean;
  instret: string;
}

export interface Checkpoint {
  checkpoint: string;
  instret: string;
  paused_ms: number;
  stored_bytes: string;
  seconds: number;
}

export class StateMachine {
  private constructor(
    readonly chain: Chain,
    public client: pg.Client,
  ) {}

  /** After the server's end and new beginning. */
  async reconnect(): Promise<void> {
    this.client = await this.chain.connect();
  }

  /** Starts it and runs it to its shell. */
  static async boot(options: ChainOptions = {}): Promise<StateMachine> {
    const chain = await startChain({ machine: 'vm1', ...options });
    const client = await chain.connect();
    const machine = new StateMachine(chain, client);
    await client.query('select vm_start(paused => true)');
    const booted = await machine.step(`console:${prompt}`, 20_000_000_000);
    if (!booted.condition_met) throw new Error(`the guest came no further than ${booted.stopped_by}`);
    return machine;
  }

  async one<T extends pg.QueryResultRow>(query: string, values: unknown[] = []): Promise<T> {
    const { rows } = await this.client.query<T>(query, values);
    const [row] = rows;
    if (row === undefined) throw new Error(`no row: ${query}`);
    return row;
  }

  step(condition: string, most: number | string = 2_000_000_000): Promise<Step> {
    return this.one<Step>('select stopped_by, condition_met, instret from vm_step_until($1, $2)', [condition, most]);
  }

  async type(text: string): Promise<void> {
    await this.client.query('select vm_console_write($1)', [text]);
  }

  /** Runs a command in the guest's shell and returns what it printed. */
  async shell(command: string): Promise<string> {
    const { seq } = await this.one<{ seq: string }>('select coalesce(max(seq), -1) as seq from linux.console');
    await this.type(`${command}\n`);
    const done = await this.step(`console:${prompt}`, 20_000_000_000);
    if (!done.condition_met) throw new Error(`"${command}" did not end: ${done.stopped_by}`);
    const { text } = await this.one<{ text: string }>(
      "select string_agg(text, '' order by seq) as text from linux.console where seq > $1",
      [seq],
    );
    return text.replaceAll('\r', '').slice(command.length + 1, -prompt.length);
  }

  async hash(): Promise<string> {
    return (await this.one<{ hash: string }>('select vm_state_hash() as hash')).hash;
  }

  checkpoint(name: string): Promise<Checkpoint> {
    return this.one<Checkpoint>('select * from vm_checkpoint($1)', [name]);
  }

  async restore(name: string): Promise<void> {
    await this.client.query('select vm_restore($1)', [name]);
  }
}
