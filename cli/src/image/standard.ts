/** Names of the images every installation has. */
export const standardImages = {
  firmware: 'opensbi',
  kernel: 'linux-6.1',
  initrd: 'mini-initramfs',
  disk: 'mini',
} as const;

/** The Debian guest that has PostgreSQL and this project, so that it can run guests over the same image. */
export const nestedImage = { name: 'debian', device: '/dev/vda', bytes: 8 * 2 ** 30 } as const;
