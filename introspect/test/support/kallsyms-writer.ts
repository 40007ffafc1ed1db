/** Writes kallsyms tables in either order, with every token a single character but one pair. */
export interface TestSymbol {
  name: string;
  type: string;
  address: bigint;
}

const pairToken = 1;
const pair = 'sys_';

function align8(parts: Buffer[]): void {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  if (length % 8 !== 0) parts.push(Buffer.alloc(8 - (length % 8)));
}

function words(values: number[]): Buffer {
  const out = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => out.writeUInt32LE(value, i * 4));
  return out;
}

/** One name: ULEB128 length, then tokens. */
function compress(symbol: TestSymbol): Buffer {
  const bytes: number[] = [];
  const text = symbol.type + symbol.name;
  for (let i = 0; i < text.length;) {
    if (text.startsWith(pair, i)) {
      bytes.push(pairToken);
      i += pair.length;
    } else bytes.push(text.charCodeAt(i++));
  }
  const length = bytes.length < 0x80 ? [bytes.length] : [(bytes.length & 0x7f) | 0x80, bytes.length >> 7];
  return Buffer.from([...length, ...bytes]);
}

/** newOrder: as from 6.4 on. Symbols have to be in ascending address order, at least 256 of them. */
export function kallsymsTables(symbols: TestSymbol[], newOrder: boolean): Buffer {
  const base = symbols[0]!.address;
  const offsets = words(symbols.map((symbol) => Number(symbol.address - base)));
  const relativeBase = Buffer.alloc(8);
  relativeBase.writeBigUInt64LE(BigInt.asUintN(64, base));
  const names: Buffer[] = [];
  const markers: number[] = [];
  let at = 0;
  symbols.forEach((symbol, i) => {
    if (i % 256 === 0) markers.push(at);
    const name = compress(symbol);
    names.push(name);
    at += name.length;
  });
  const tokens = Array.from({ length: 256 }, (_, token) =>
    token === pairToken ? pair : String.fromCharCode(token || 1),
  );
  const tokenBytes = tokens.map((token) => Buffer.from(`${token}\0`, 'latin1'));
  const index = Buffer.alloc(512);
  let tokenAt = 0;
  tokenBytes.forEach((token, i) => {
    index.writeUInt16LE(tokenAt, i * 2);
    tokenAt += token.length;
  });
  const parts: Buffer[] = [];
  const put = (part: Buffer) => {
    align8(parts);
    parts.push(part);
  };
  if (!newOrder) [offsets, relativeBase].forEach(put);
  [words([symbols.length]), Buffer.concat(names), words(markers), Buffer.concat(tokenBytes), index].forEach(put);
  if (newOrder) [offsets, relativeBase].forEach(put);
  align8(parts);
  return Buffer.concat(parts);
}
