#!/usr/bin/env node
/**
 * Entry point of every npm script: brings the machine to where TypeScript can run (Debian packages, npm packages,
 * compiled dist/), then runs the asked command from dist/. Plain Node 20 with built-in modules only.
 */
import { ensurePrepared } from './bootstrap/ensure.mjs';

const [command, ...rest] = process.argv.slice(2);
if (command === undefined) {
  console.error('usage: node cli/bootstrap.mjs setup|demo|inception|test|bench|lockstep|lint|gen [arguments]');
  process.exit(2);
}
const entry = ensurePrepared();
process.argv = [process.argv[0], entry, command, ...rest];
await import(entry);
