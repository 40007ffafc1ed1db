/** Sockets behind file descriptors: struct socket, sock, and their Internet and Unix addresses. */
import type { Gva } from '../memory/address.js';
import type { Kernel } from './kernel.js';

/** AF_* (include/linux/socket.h) and IPPROTO_* (include/uapi/linux/in.h). */
const families: Record<number, string> = { 1: 'unix', 2: 'inet', 10: 'inet6', 16: 'netlink', 17: 'packet' };
const protocols: Record<number, string> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmp6', 255: 'raw' };
/** SOCK_* (include/linux/net.h). */
const types: Record<number, string> = { 1: 'stream', 2: 'dgram', 3: 'raw', 5: 'seqpacket' };
/** include/net/tcp_states.h, from 1. */
const tcpStates = [
  'established',
  'syn_sent',
  'syn_recv',
  'fin_wait1',
  'fin_wait2',
  'time_wait',
  'close',
  'close_wait',
  'last_ack',
  'listen',
  'closing',
  'new_syn_recv',
];

/** sun_path of struct sockaddr_un begins here, and is at most this long. */
const unixPathOffset = 2;
const longestUnixPath = 108;

export class Sockets {
  readonly #kernel: Kernel;
  readonly #inode: number;
  readonly #socket: { type: number; sock: number };
  readonly #sock: {
    family: number;
    state: number;
    localPort: number;
    remotePort: number;
    localAddress: number;
    remoteAddress: number;
    protocol: { offset: number; size: number };
  };
  readonly #unix: { address: number; length: number; name: number } | undefined;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#inode = kernel.types.struct('socket_alloc', 'vfs_inode').offset('vfs_inode');
    const socket = kernel.types.struct('socket', 'sk', 'type');
    this.#socket = { type: socket.offset('type'), sock: socket.offset('sk') };
    const sock = kernel.types.struct('sock', '__sk_common.skc_family', 'sk_protocol');
    this.#sock = {
      family: sock.offset('__sk_common.skc_family'),
      state: sock.offset('__sk_common.skc_state'),
      localPort: sock.offset('__sk_common.skc_num'),
      remotePort: sock.offset('__sk_common.skc_dport'),
      localAddress: sock.offset('__sk_common.skc_rcv_saddr'),
      remoteAddress: sock.offset('__sk_common.skc_daddr'),
      protocol: sock.field('sk_protocol'),
    };
    if (!kernel.types.hasStruct('unix_sock') || !kernel.types.hasStruct('unix_address')) return;
    const address = kernel.types.struct('unix_address', 'name', 'len');
    this.#unix = {
      address: kernel.types.struct('unix_sock', 'addr').offset('addr'),
      length: address.offset('len'),
      name: address.offset('name'),
    };
  }

  /** The struct socket that holds this inode, and its struct sock; 0 when it has none (any more). */
  ofInode(inode: Gva): { socket: Gva; sock: Gva } {
    const socket = inode - this.#inode;
    return { socket, sock: this.#kernel.space.pointer(socket + this.#socket.sock) };
  }

  type(socket: Gva): string {
    const type = this.#kernel.space.u16(socket + this.#socket.type);
    return types[type] ?? String(type);
  }

  family(sock: Gva): string {
    const family = this.#kernel.space.u16(sock + this.#sock.family);
    return families[family] ?? String(family);
  }

  isInternet(sock: Gva): boolean {
    return this.family(sock) === 'inet';
  }

  #protocolNumber(sock: Gva): number {
    const { offset, size } = this.#sock.protocol;
    return size === 1 ? this.#kernel.space.u8(sock + offset) : this.#kernel.space.u16(sock + offset);
  }

  /** Internet sockets only. */
  protocol(sock: Gva): string | null {
    if (!this.family(sock).startsWith('inet')) return null;
    const protocol = this.#protocolNumber(sock);
    return protocols[protocol] ?? String(protocol);
  }

  /** TCP only. */
  state(sock: Gva): string | null {
    if (this.protocol(sock) !== 'tcp') return null;
    const state = this.#kernel.space.u8(sock + this.#sock.state);
    return tcpStates[state - 1] ?? String(state);
  }

  localPort(sock: Gva): number | null {
    return this.protocol(sock) === null ? null : this.#kernel.space.u16(sock + this.#sock.localPort);
  }

  /** Kept in network byte order. */
  remotePort(sock: Gva): number | null {
    if (this.protocol(sock) === null) return null;
    const at = sock + this.#sock.remotePort;
    return this.#kernel.space.u8(at) * 256 + this.#kernel.space.u8(at + 1);
  }

  localAddress(sock: Gva): string | null {
    return this.#address(sock, this.#sock.localAddress);
  }
  remoteAddress(sock: Gva): string | null {
    return this.#address(sock, this.#sock.remoteAddress);
  }

  #address(sock: Gva, offset: number): string | null {
    return this.isInternet(sock) ? this.#kernel.space.bytes(sock + offset, 4).join('.') : null;
  }

  /** What a Unix socket is bound to, as /proc/net/unix shows it: @ for the NUL of an abstract name. */
  path(sock: Gva): string | null {
    if (!this.#unix || this.family(sock) !== 'unix') return null;
    const { space } = this.#kernel;
    const address = space.pointer(sock + this.#unix.address);
    if (address === 0) return null;
    const length = Math.min(space.u32(address + this.#unix.length) - unixPathOffset, longestUnixPath);
    if (length <= 0) return null;
    const name = Buffer.from(space.bytes(address + this.#unix.name + unixPathOffset, length));
    if (name[0] === 0) return name.toString('latin1').replaceAll('\0', '@');
    const end = name.indexOf(0);
    return name
      .subarray(0, end < 0 ? name.length : end)
      .toString('utf8')
      .replaceAll('\uFFFD', '?');
  }
}
