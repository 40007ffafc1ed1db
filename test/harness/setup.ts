/** Runs in every test file before its tests are collected (vitest setupFiles). */
import { afterAll } from 'vitest';
import { undoAll } from './cleanup.js';

afterAll(undoAll, 120_000);
