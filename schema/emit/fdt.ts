/** The board as a flattened device tree (devicetree specification 0.4, section 5), and as readable source. */
import * as board from '../layout/board.js';

type Value = number[] | string | string[] | Uint8Array | true;
interface Node {
  name: string;
  properties: [string, Value][];
  children: Node[];
}

const cells64 = (value: number): number[] => [Math.floor(value / 2 ** 32), value >>> 0];
const regOf = (base: number, size: number): number[] => [...cells64(base), ...cells64(size)];
const phandle = { cpuIntc: 1, plic: 2, syscon: 3 } as const;

function deviceNode(device: board.Device): Node {
  const at = `@${device.base.toString(16)}`;
  const reg: [string, Value] = ['reg', regOf(device.base, device.size)];
  const irq: [string, Value][] =
    device.irq > 0
      ? [
          ['interrupt-parent', [phandle.plic]],
          ['interrupts', [device.irq]],
        ]
      : [];
  const node = (name: string, properties: [string, Value][]): Node => ({
    name: name + at,
    properties: [...properties, reg, ...irq],
    children: [],
  });
  if (device.name === 'syscon')
    return node('test', [
      ['compatible', ['sifive,test1', 'sifive,test0', 'syscon']],
      ['phandle', [phandle.syscon]],
    ]);
  if (device.name === 'rtc') return node('rtc', [['compatible', 'google,goldfish-rtc']]);
  if (device.name === 'uart')
    return node('serial', [
      ['compatible', 'ns16550a'],
      ['clock-frequency', [3_686_400]],
    ]);
  if (device.name === 'clint') {
    return node('clint', [
      ['compatible', ['sifive,clint0', 'riscv,clint0']],
      ['interrupts-extended', [phandle.cpuIntc, 3, phandle.cpuIntc, 7]],
    ]);
  }
  if (device.name === 'plic') {
    return node('plic', [
      ['compatible', ['sifive,plic-1.0.0', 'riscv,plic0']],
      ['interrupt-controller', true],
      ['#interrupt-cells', [1]],
      ['#address-cells', [0]],
      ['riscv,ndev', [board.plicSources - 1]],
      ['interrupts-extended', [phandle.cpuIntc, 11, phandle.cpuIntc, 9]],
      ['phandle', [phandle.plic]],
    ]);
  }
  return node('virtio_mmio', [
    ['compatible', 'virtio,mmio'],
    ['dma-coherent', true],
  ]);
}

function boardTree(): Node {
  const uart = board.devices.find((device) => device.name === 'uart');
  if (uart === undefined) throw new Error('the board has no UART');
  const power = (name: string, value: number): Node => ({
    name,
    properties: [
      ['compatible', `syscon-${name}`],
      ['regmap', [phandle.syscon]],
      ['offset', [0]],
      ['value', [value]],
    ],
    children: [],
  });
  const bootargs = new Uint8Array(board.bootargsCapacity);
  new TextEncoder().encodeInto(board.defaultBootargs, bootargs);
  return {
    name: '',
    properties: [
      ['#address-cells', [2]],
      ['#size-cells', [2]],
      ['compatible', 'riscv-virtio'],
      ['model', 'riscv-virtio,linuxsql'],
    ],
    children: [
      {
        name: 'chosen',
        properties: [
          ['bootargs', bootargs],
          ['stdout-path', `/soc/serial@${uart.base.toString(16)}`],
          ['linux,initrd-start', [0, 0]],
          ['linux,initrd-end', [0, 0]],
          ['rng-seed', new Uint8Array(32)],
        ],
        children: [],
      },
      {
        name: `memory@${board.ramBase.toString(16)}`,
        properties: [
          ['device_type', 'memory'],
          ['reg', regOf(board.ramBase, 0x4000_0000)],
        ],
        children: [],
      },
      {
        name: 'cpus',
        properties: [
          ['#address-cells', [1]],
          ['#size-cells', [0]],
          ['timebase-frequency', [board.timebaseHz]],
        ],
        children: [
          {
            name: 'cpu@0',
            properties: [
              ['device_type', 'cpu'],
              ['reg', [0]],
              ['status', 'okay'],
              ['compatible', 'riscv'],
              ['riscv,isa', board.isaString],
              ['riscv,cbom-block-size', [board.cacheBlockBytes]],
              ['riscv,cboz-block-size', [board.cacheBlockBytes]],
              ['mmu-type', board.mmuType],
            ],
            children: [
              {
                name: 'interrupt-controller',
                properties: [
                  ['#interrupt-cells', [1]],
                  ['interrupt-controller', true],
                  ['compatible', 'riscv,cpu-intc'],
                  ['phandle', [phandle.cpuIntc]],
                ],
                children: [],
              },
            ],
          },
        ],
      },
      {
        name: 'soc',
        properties: [
          ['#address-cells', [2]],
          ['#size-cells', [2]],
          ['compatible', 'simple-bus'],
          ['ranges', true],
        ],
        children: board.devices.map(deviceNode),
      },
      power('poweroff', 0x5555),
      power('reboot', 0x7777),
    ],
  };
}

const encoder = new TextEncoder();

function valueBytes(value: Value): Uint8Array {
  if (value === true) return new Uint8Array(0);
  if (value instanceof Uint8Array) return value;
  if (typeof value === 'string') return encoder.encode(`${value}\0`);
  if (typeof value[0] === 'string') return encoder.encode(value.map((text) => `${text}\0`).join(''));
  const bytes = new Uint8Array(value.length * 4);
  const view = new DataView(bytes.buffer);
  value.forEach((cell, at) => view.setUint32(at * 4, Number(cell)));
  return bytes;
}

/** The binary blob, version 17. */
export function buildDeviceTree(): Uint8Array {
  const structure: number[] = [];
  const strings: number[] = [];
  const stringAt = new Map<string, number>();
  const u32 = (value: number): void =>
    void structure.push(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
  const padded = (bytes: Iterable<number>): void => {
    structure.push(...bytes);
    while (structure.length % 4 !== 0) structure.push(0);
  };
  const stringOffset = (name: string): number => {
    let at = stringAt.get(name);
    if (at === undefined) {
      at = strings.length;
      stringAt.set(name, at);
      strings.push(...encoder.encode(`${name}\0`));
    }
    return at;
  };
  const walk = (node: Node): void => {
    u32(1);
    padded(encoder.encode(`${node.name}\0`));
    for (const [name, value] of node.properties) {
      const bytes = valueBytes(value);
      u32(3);
      u32(bytes.length);
      u32(stringOffset(name));
      padded(bytes);
    }
    node.children.forEach(walk);
    u32(2);
  };
  walk(boardTree());
  u32(9);
  const headerBytes = 40;
  const structAt = headerBytes + 16; // one empty memory reservation entry
  const stringsAt = structAt + structure.length;
  const total = stringsAt + strings.length;
  const blob = new Uint8Array(total);
  const view = new DataView(blob.buffer);
  [0xd00dfeed, blob.length, structAt, stringsAt, headerBytes, 17, 16, 0, strings.length, structure.length].forEach(
    (word, at) => view.setUint32(at * 4, word),
  );
  blob.set(structure, structAt);
  blob.set(strings, stringsAt);
  return blob;
}

function valueSource(name: string, value: Value): string {
  if (value === true) return `${name};`;
  if (value instanceof Uint8Array)
    return `${name} = [${[...value].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')}];`;
  if (typeof value === 'string') return `${name} = ${JSON.stringify(value)};`;
  if (typeof value[0] === 'string') return `${name} = ${value.map((text) => JSON.stringify(text)).join(', ')};`;
  return `${name} = <${value.map((cell) => `0x${Number(cell).toString(16)}`).join(' ')}>;`;
}

/** The same tree as device tree source, for readers; dtc makes the identical blob of it. */
export function deviceTreeSource(): string {
  const lines: string[] = ['/dts-v1/;', ''];
  const walk = (node: Node, indent: string): void => {
    lines.push(`${indent}${node.name === '' ? '/' : node.name} {`);
    for (const [name, value] of node.properties) lines.push(`${indent}\t${valueSource(name, value)}`);
    for (const child of node.children) walk(child, `${indent}\t`);
    lines.push(`${indent}};`);
  };
  walk(boardTree(), '');
  return lines.join('\n') + '\n';
}
