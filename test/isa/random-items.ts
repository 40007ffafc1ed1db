/** The pieces random programs are made of: one piece is a few parcels that belong together, with their text. */
import { comparable } from './deviations.js';
import { asm, CSR, immB, immI, immS, immU, loadConstant, withRegisters, type Fields } from './encode.js';
import { mnemonic, rowNamed, type Row } from './insn-table.js';
import { GP } from './layout.js';
import type { Random } from './random.js';
import { classifyParcel } from './rvc.js';

export interface Item {
  readonly halves: readonly number[];
  readonly text: string;
}

/** x31 counts loops; gp and tp are the runtime's. All other registers are written freely. */
export const LOOP_COUNTER = 31;
const WRITABLE = Array.from({ length: 32 }, (_, i) => i).filter((r) => r !== 3 && r !== 4 && r !== LOOP_COUNTER);
const OFFSET = 29;
const BASE = 30;

/** The scratch area: bases fall into its middle, so that every 12-bit offset stays inside. */
export const SCRATCH_BYTES = 16384;
const SCRATCH_MIDDLE = 4096;

export const fromWords = (text: string, ...words: number[]): Item => ({
  halves: words.flatMap((w) => [w & 0xffff, w >>> 16]),
  text,
});

export class ItemMaker {
  private readonly byFormat = new Map<string, Row[]>();
  private readonly parcels: number[] = [];
  private readonly random: Random;
  private readonly rows: readonly Row[];
  private readonly scratch: number;

  private readonly reservations: boolean;

  /** `scratch`: offset of the scratch area from gp; `reservations`: with LR/SC pairs. */
  constructor(rows: readonly Row[], random: Random, scratch: number, reservations: boolean) {
    this.reservations = reservations;
    this.random = random;
    this.rows = rows;
    this.scratch = scratch;
    for (const row of rows) {
      if (!comparable(row) || row.name === 'jalr') continue;
      this.byFormat.set(row.format, [...(this.byFormat.get(row.format) ?? []), row]);
    }
    for (let parcel = 0; parcel < 0x10000; parcel++) {
      if ((parcel & 3) === 3) continue;
      const info = classifyParcel(parcel);
      if (info.kind === 'compute' && WRITABLE.includes(info.rd ?? 0)) this.parcels.push(parcel);
    }
  }

  private row(...formats: string[]): Row {
    return this.random.pick(formats.flatMap((format) => this.byFormat.get(format) ?? []));
  }

  private rd = (): number => this.random.pick(WRITABLE);
  private rs = (): number => this.random.below(32);
  private mode = (): number => this.random.pick([0, 1, 2, 3, 4, 7, 7]);

  private compute(): Item {
    const row = this.row('R', 'R', 'R1', 'I', 'I', 'SH6', 'SH5', 'U');
    const fields = { rd: this.rd(), rs1: this.rs(), rs2: this.rs() };
    const shift = this.random.below(row.format === 'SH6' ? 64 : 32);
    const immediate = this.random.between(-2048, 2047);
    switch (row.format) {
      case 'R':
        return fromWords(
          `${mnemonic(row)} x${fields.rd}, x${fields.rs1}, x${fields.rs2}`,
          withRegisters(row.match, fields),
        );
      case 'U': {
        const upper = this.random.below(1 << 20);
        return fromWords(
          `${mnemonic(row)} x${fields.rd}, ${upper}`,
          (row.match | (fields.rd << 7) | immU(upper)) >>> 0,
        );
      }
      default: {
        const imm = row.format === 'R1' ? 0 : row.format === 'I' ? immediate : shift;
        const word = (withRegisters(row.match, { rd: fields.rd, rs1: fields.rs1 }) | immI(imm)) >>> 0;
        return fromWords(`${mnemonic(row)} x${fields.rd}, x${fields.rs1}, ${imm}`, word);
      }
    }
  }

  /** x30 = somewhere in the scratch area, depending on a register; aligned to 8 when asked. */
  private base(aligned: boolean): { words: number[]; text: string } {
    const from = this.rs();
    const mask = aligned ? 0x7f8 : 0x7ff;
    const constant = this.scratch + SCRATCH_MIDDLE;
    const words = [asm.andi(OFFSET, from, mask), ...loadConstant(BASE, constant)];
    return {
      words: [...words, asm.add(BASE, BASE, GP), asm.add(BASE, BASE, OFFSET)],
      text: `x30 = scratch + (x${from} & ${mask}); `,
    };
  }

  private memory(): Item {
    const row = this.row('L', 'L', 'S', 'S', 'FL', 'FS');
    const { words, text } = this.base(this.random.chance(60));
    const offset = this.random.chance(50) ? 8 * this.random.between(-256, 255) : this.random.between(-2048, 2047);
    const store = row.format === 'S' || row.format === 'FS';
    const file = row.format.startsWith('F') ? 'f' : 'x';
    const register = store || file === 'f' ? this.rs() : this.rd();
    const word = store
      ? withRegisters(row.match, { rs1: BASE, rs2: register }) | immS(offset)
      : withRegisters(row.match, { rd: register, rs1: BASE }) | immI(offset);
    return fromWords(`${text}${mnemonic(row)} ${file}${register}, ${offset}(x30)`, ...words, word >>> 0);
  }

  private atomic(): Item {
    const { words, text } = this.base(true);
    const rd = this.rd();
    const rs2 = this.rs();
    if (this.reservations && this.random.chance(25)) {
      const width = this.random.pick(['w', 'd']);
      const lr = withRegisters(rowNamed(this.rows, `lr_${width}`).match, { rd, rs1: BASE });
      const status = this.rd();
      const sc = withRegisters(rowNamed(this.rows, `sc_${width}`).match, { rd: status, rs1: BASE, rs2 });
      if (rd === BASE) return fromWords(`${text}lr.${width} x${rd}`, ...words, lr);
      return fromWords(`${text}lr.${width} x${rd}; sc.${width} x${status}, x${rs2}`, ...words, lr, sc);
    }
    const row = this.random.pick((this.byFormat.get('AMO') ?? []).filter((r) => !r.name.startsWith('sc_')));
    const ordering = this.random.below(4) << 25;
    const word = (withRegisters(row.match, { rd, rs1: BASE, rs2 }) | ordering) >>> 0;
    return fromWords(`${text}${mnemonic(row)} x${rd}, x${rs2}, (x30)`, ...words, word);
  }

  private float(): Item {
    const row = this.row('FRM', 'FRM1', 'FR4', 'FR', 'FCMP', 'FTOX', 'FTOXRM', 'XTOF', 'XTOFRM');
    const toX = row.format === 'FCMP' || row.format.startsWith('FTOX');
    const fields: Fields = {
      rd: toX ? this.rd() : this.rs(),
      rs1: this.rs(),
      ...(['FRM', 'FR4', 'FR', 'FCMP'].includes(row.format) ? { rs2: this.rs() } : {}),
      ...(row.format === 'FR4' ? { rs3: this.rs() } : {}),
      ...(row.format.includes('RM') || row.format === 'FR4' ? { rm: this.mode() } : {}),
    };
    const [d, s] = [toX ? 'x' : 'f', row.format.startsWith('XTOF') ? 'x' : 'f'];
    const sources = [fields.rs1, fields.rs2, fields.rs3].filter((r) => r !== undefined).map((r) => `${s}${r}`);
    const text = `${mnemonic(row)} ${[`${d}${fields.rd}`, ...sources].join(', ')}, rm ${fields.rm ?? '-'}`;
    return fromWords(text, withRegisters(row.match, fields));
  }

  private csr(): Item {
    const rd = this.rd();
    if (this.random.chance(40)) {
      const mode = this.random.below(5);
      return fromWords(`csrrwi x${rd}, frm, ${mode}`, asm.csrrwi(rd, CSR.frm, mode));
    }
    const row = this.row('CSRI');
    const value = this.random.below(32);
    const word = (withRegisters(row.match, { rd, rs1: value }) | immI(CSR.fflags)) >>> 0;
    return fromWords(`${mnemonic(row)} x${rd}, fflags, ${value}`, word);
  }

  private compressed(): Item {
    const parcel = this.random.pick(this.parcels);
    return { halves: [parcel], text: `${classifyParcel(parcel).name} 0x${parcel.toString(16).padStart(4, '0')}` };
  }

  /** jalr over one instruction, its base computed at run time. */
  private indirect(): Item {
    const [at, link] = [BASE, this.rd()];
    const auipc = 0x17 | (at << 7);
    return fromWords(`auipc x30, 0; jalr x${link}, 12(x30)`, auipc, asm.jalr(link, at, 12), asm.addi(this.rd(), 0, 77));
  }

  /** One item without branches to other items. */
  plain(): Item {
    const draw = this.random.below(100);
    if (draw < 38) return this.compute();
    if (draw < 52) return this.compressed();
    if (draw < 68) return this.memory();
    if (draw < 74) return this.atomic();
    if (draw < 94) return this.float();
    if (draw < 97) return this.csr();
    return this.indirect();
  }

  /** A forward branch over the given items. */
  branchOver(items: readonly Item[]): Item {
    const row = this.row('B');
    const [rs1, rs2] = [this.rs(), this.rs()];
    const bytes = 4 + 2 * items.reduce((sum, item) => sum + item.halves.length, 0);
    const word = (withRegisters(row.match, { rs1, rs2 }) | immB(bytes)) >>> 0;
    return fromWords(`${row.name} x${rs1}, x${rs2}, +${bytes}`, word);
  }
}
