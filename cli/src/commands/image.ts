/** `linuxsql image …`: the library in ../image on the command line. */
import { existsSync } from 'node:fs';
import { UserError } from '../base/fail.js';
import {
  exportImage,
  imageKinds,
  importImage,
  listImages,
  progressLine,
  verifyImage,
  type ImageKind,
  type Progress,
} from '../image/index.js';
import { clientConfig, withClient } from '../server/session.js';
import { parseArguments } from './arguments.js';

/** One line that is rewritten on a terminal; on a pipe, a line a second. */
function shown(name: string): (progress: Progress) => void {
  const terminal = process.stderr.isTTY === true;
  let told = 0;
  return (progress) => {
    if (!terminal && !progress.finished && Date.now() - told < 1000) return;
    told = Date.now();
    process.stderr.write(
      `${terminal ? '\r' : ''}${progressLine(name, progress)}${!terminal || progress.finished ? '\n' : '\x1b[K'}`,
    );
  };
}

function kindOf(word: string | undefined): ImageKind {
  const kind = imageKinds.find((candidate) => candidate === word);
  if (kind === undefined)
    throw new UserError(`"${word ?? ''}" is no kind of image`, {
      hint: `Kinds: ${imageKinds.join(', ')}.`,
      exitCode: 2,
    });
  return kind;
}

async function importCommand(args: readonly string[]): Promise<number> {
  const { words, flags } = parseArguments(args, { flags: ['--replace'], minWords: 3, maxWords: 3 });
  const [name = '', kind, file = ''] = words;
  if (!existsSync(file)) throw new UserError(`there is no file ${file}`);
  const { outcome, image } = await importImage(clientConfig(), {
    name,
    kind: kindOf(kind),
    file,
    replace: flags.has('--replace'),
    evenSame: true,
    onProgress: shown(name),
  });
  console.log(`${name}: ${outcome}, SHA-256 ${image.sha256?.toString('hex') ?? 'unknown'}`);
  return 0;
}

async function exportCommand(args: readonly string[]): Promise<number> {
  const [name = '', file = ''] = parseArguments(args, { minWords: 2, maxWords: 2 }).words;
  const { sha256 } = await exportImage(clientConfig(), { name, file, onProgress: shown(name) });
  console.log(`${file}: written, SHA-256 ${sha256.toString('hex')}`);
  return 0;
}

async function verifyCommand(args: readonly string[]): Promise<number> {
  const [name = ''] = parseArguments(args, { minWords: 1, maxWords: 1 }).words;
  const { ok, sha256 } = await verifyImage(clientConfig(), { name, onProgress: shown(name) });
  console.log(ok ? `${name}: good` : `${name}: damaged, its bytes have SHA-256 ${sha256.toString('hex')}`);
  return ok ? 0 : 1;
}

async function listCommand(args: readonly string[]): Promise<number> {
  parseArguments(args, {});
  const images = await withClient((client) => listImages(client));
  for (const { name, kind, size, sha256, sealed } of images) {
    console.log(
      `${name.padEnd(20)} ${kind.padEnd(9)} ${String(size).padStart(12)} ${sealed ? (sha256?.toString('hex') ?? '') : 'not complete'}`,
    );
  }
  return 0;
}

const actions: Record<string, (args: readonly string[]) => Promise<number>> = {
  import: importCommand,
  export: exportCommand,
  verify: verifyCommand,
  list: listCommand,
};

export async function image(args: readonly string[]): Promise<number> {
  const action = actions[args[0] ?? ''];
  if (action === undefined)
    throw new UserError('image takes one of: import, export, verify, list', {
      hint: 'linuxsql image --help tells more.',
      exitCode: 2,
    });
  return action(args.slice(1));
}
