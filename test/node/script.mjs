/**
 * What makes a JavaScript engine write machine code, optimise it, throw it away and write it again. Prints one line that is the
 * same in every version of Node on every processor.
 */
import { createHash } from 'node:crypto';

const hash = createHash('sha256');
const note = (name, value) => hash.update(`${name} ${JSON.stringify(value)}\n`);

let seed = 12345;
const random = (limit) => {
  seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
  return (seed >>> 8) % limit;
};

function recursion() {
  const fibonacci = (n) => (n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2));
  const ackermann = (m, n) => (m === 0 ? n + 1 : n === 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1)));
  return [fibonacci(22), ackermann(2, 60)];
}

function sorting() {
  const rows = Array.from({ length: 12_000 }, (_, id) => ({ id, key: random(4000), name: `row ${random(1000)}` }));
  rows.sort((a, b) => a.key - b.key || (a.name < b.name ? -1 : a.name > b.name ? 1 : a.id - b.id));
  return createHash('sha256').update(JSON.stringify(rows)).digest('hex');
}

function expressions() {
  const text = Array.from({ length: 3000 }, () => `k${random(50)}=${random(10_000)}; `).join('');
  const sums = new Map();
  for (const [, key, value] of text.matchAll(/(k\d+)=(\d+);\s/g)) sums.set(key, (sums.get(key) ?? 0) + Number(value));
  const folded = text
    .replace(/k(\d)(\d?)/g, (_, a, b) => `${b}${a}`)
    .split(/[=;]\s*/)
    .filter((part) => /^[1-9]+$/.test(part));
  return [[...sums].sort(), folded.length, folded.slice(0, 20)];
}

/** Each is optimised for one kind of value, and called with another afterwards. */
function closures() {
  const adders = Array.from({ length: 40 }, (_, i) => (value) => value + i);
  const results = [];
  for (const argument of [1, 0.5, 'x', 2 ** 31, -0, 7n]) {
    for (let round = 0; round < 300; round++)
      for (const add of adders) {
        try {
          results[0] = add(argument);
        } catch (error) {
          results[1] = error instanceof TypeError;
        }
      }
    results.push(String(results[0]));
  }
  return results;
}

function classes() {
  class Shape {
    constructor(size) {
      this.size = size;
    }
    area() {
      return 0;
    }
  }
  const kinds = Array.from(
    { length: 12 },
    (_, i) =>
      class extends Shape {
        area() {
          return this.size * (i + 1);
        }
      },
  );
  let total = 0;
  for (let i = 0; i < 60_000; i++) total += new kinds[i % (1 + (i >> 13))](i & 15).area();
  return total;
}

/** New functions all the time. */
function generated() {
  const results = [];
  for (let i = 0; i < 150; i++) {
    const made = new Function(
      'a',
      'b',
      `let s = ${i}; for (let i = 0; i < a; i++) s = (s * ${2 * i + 3} + b + i) | 0; return s;`,
    );
    for (let round = 0; round < 12; round++) results.push(made(200, round));
  }
  return results;
}

function numbers() {
  const size = 48;
  const a = new Float64Array(size * size).map((_, i) => (i % 7) + 0.25);
  const b = new Float64Array(size * size).map((_, i) => (i % 5) - 1.5);
  const c = new Float64Array(size * size);
  for (let i = 0; i < size; i++)
    for (let j = 0; j < size; j++) for (let k = 0; k < size; k++) c[i * size + j] += a[i * size + k] * b[k * size + j];
  const sieve = new Uint8Array(60_000);
  let primes = 0;
  for (let i = 2; i < sieve.length; i++) {
    if (sieve[i]) continue;
    primes++;
    for (let k = 2 * i; k < sieve.length; k += i) sieve[k] = 1;
  }
  let big = 1n;
  for (let i = 1n; i <= 120n; i++) big *= i;
  return [c.reduce((sum, value) => sum + value, 0), primes, String(big)];
}

for (const work of [recursion, sorting, expressions, closures, classes, generated, numbers]) note(work.name, work());
console.log(hash.digest('hex'));
