#!/usr/bin/env node
/** The `linuxsql` command: dist/cli/src/main.js, built first where it is missing or older than its sources. */
import { ensurePrepared } from './bootstrap/ensure.mjs';

const entry = ensurePrepared();
process.argv = [process.argv[0], entry, ...process.argv.slice(2)];
await import(entry);
