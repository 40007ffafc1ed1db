/** Every command, with the words of its help. A command's module is loaded when it is asked for. */
export type CommandBody = (args: readonly string[]) => Promise<number>;

export interface Command {
  name: string;
  usage: string;
  summary: string;
  details?: string;
  /** For npm scripts: not in the overview. */
  hidden?: boolean;
  /** `--help` belongs to the program it starts. */
  passesHelp?: boolean;
  load(): Promise<CommandBody>;
}

export const commands: readonly Command[] = [
  {
    name: 'up',
    usage: '[--no-machine]',
    summary: 'do what is left of set-up, start the server, make sure that machine vm1 exists',
    details: 'Repeating it is quick and harmless. --no-machine stops after the server and its database.',
    load: async () => (await import('./up.js')).up,
  },
  {
    name: 'down',
    usage: '',
    summary: 'stop the machines (their disks are flushed), introspect and the embedded server',
    load: async () => (await import('./down.js')).down,
  },
  {
    name: 'status',
    usage: '[--json]',
    summary: 'what runs, and where its folders and sockets are',
    load: async () => (await import('./status.js')).status,
  },
  {
    name: 'doctor',
    usage: '',
    summary: 'what is missing on this machine, and how to get it; exit code 1 when something is',
    load: async () => (await import('./doctor.js')).doctor,
  },
  {
    name: 'psql',
    usage: '[psql arguments]',
    summary: 'psql, connected to the database',
    passesHelp: true,
    load: async () => (await import('./psql.js')).psql,
  },
  {
    name: 'console',
    usage: '[MACHINE] [--from-start]',
    summary: "the guest's terminal; Ctrl-] leaves it and the machine goes on",
    details:
      'MACHINE is vm1 unless named. --from-start shows first what the guest has written so far, as far as the console ring\n' +
      'still holds it. With standard input from a pipe, its bytes are typed and the command ends when the guest has been\n' +
      'silent for a second after the last of them.',
    load: async () => (await import('./console.js')).console_,
  },
  {
    name: 'image',
    usage: 'import|export|verify|list …',
    summary: 'images in the database: put in, get out, check against their SHA-256',
    details:
      'image import NAME KIND FILE   KIND: firmware, kernel, dtb, initrd, disk; --replace puts the file in place of\n' +
      '                              an image of this name (machines made of that one keep it, as NAME@HASH)\n' +
      'image export NAME FILE        sparse where the image is\n' +
      'image verify NAME             reads every byte; exit code 1 when the hash differs\n' +
      'image list',
    load: async () => (await import('./image.js')).image,
  },
  {
    name: 'demo',
    usage: '',
    summary: 'set up everything, boot the guest and run fdw/demo.sql',
    load: async () => (await import('./demo.js')).demo,
  },
  {
    name: 'inception',
    usage: '[from=0|1|2|3] [port=N]',
    summary: 'a guest that runs a guest that runs a guest, each with PostgreSQL: fdw/inception_l3.sql',
    details:
      'The first run boots all three levels and leaves a checkpoint at each; later ones go on from the deepest, or from\n' +
      'the one that from names (0: from nothing). port is the port of this host that leads to the first guest.',
    load: async () => (await import('./inception.js')).inception,
  },
  {
    name: 'reload',
    usage: '',
    summary: 'rebuild and reinstall extension and daemons, make extension and machine vm1 anew',
    load: async () => (await import('./reload.js')).reload,
  },
  {
    name: 'setup',
    usage: '',
    summary: 'make everything that can be made without starting the server',
    load: async () => (await import('./setup.js')).setup,
  },
  {
    name: 'gen',
    usage: '[--check]',
    summary: 'write every generated file',
    hidden: true,
    load: async () => (await import('./gen.js')).gen,
  },
  {
    name: 'lint',
    usage: '',
    summary: 'style and type checks',
    hidden: true,
    load: async () => (await import('./lint.js')).lint,
  },
  {
    name: 'test',
    usage: '[vitest arguments]',
    summary: 'all tests',
    hidden: true,
    load: async () => (await import('./test.js')).test,
  },
  {
    name: 'soak',
    usage: '[KILLS [SEED]] | installcheck',
    summary: 'kill -9 of machine, introspect, server and backends at random, 100 times unless told otherwise',
    details: "installcheck: PostgreSQL's own regression suite in a guest, beside one of QEMU.",
    hidden: true,
    load: async () => (await import('./soak.js')).soak,
  },
  {
    name: 'bench',
    usage: '[NAME…]',
    summary: 'side-by-side measurements',
    hidden: true,
    load: async () => (await import('./bench.js')).bench,
  },
  {
    name: 'lockstep',
    usage: '[workloads=MILLIONS] [generated=MILLIONS] [seed=N]',
    summary: 'the engines compared over a boot, workloads and generated code',
    hidden: true,
    load: async () => (await import('./lockstep.js')).lockstep,
  },
];
