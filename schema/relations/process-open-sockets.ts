import type { Relation } from '../vocabulary.js';

export const processOpenSockets: Relation = {
  name: 'process_open_sockets',
  doc: 'Descriptors of each process that are sockets, with both ends of Internet sockets.',
  source: 'guest',
  columns: [
    { name: 'pid', type: 'int8', doc: 'process id' },
    { name: 'fd', type: 'int8', doc: 'file descriptor' },
    { name: 'inode', type: 'int8', doc: 'inode number, as in /proc/net/tcp, udp and unix' },
    { name: 'family', type: 'text', doc: 'unix, inet, inet6, netlink, packet, or its number' },
    { name: 'type', type: 'text', doc: 'stream, dgram, raw, seqpacket, or its number' },
    {
      name: 'protocol',
      type: 'text',
      nullable: true,
      doc: 'tcp, udp, icmp, icmp6, raw, or its number; inet and inet6 only',
    },
    { name: 'state', type: 'text', nullable: true, doc: 'listen, established, close_wait, ...; tcp only' },
    {
      name: 'local_address',
      type: 'text',
      nullable: true,
      doc: 'IPv4 address it is bound to, 0.0.0.0 = any; inet only',
    },
    { name: 'local_port', type: 'int8', nullable: true, doc: '0 = not bound; inet and inet6 only' },
    {
      name: 'remote_address',
      type: 'text',
      nullable: true,
      doc: 'IPv4 address of the other end, 0.0.0.0 = none; inet only',
    },
    { name: 'remote_port', type: 'int8', nullable: true, doc: 'port of the other end, 0 = none; inet and inet6 only' },
    { name: 'path', type: 'text', nullable: true, doc: 'what a unix socket is bound to, @ before an abstract name' },
    { name: 'sock_addr', type: 'int8', doc: 'address of the struct sock' },
  ],
  keys: [['pid']],
  orders: [{ column: 'pid', descending: false }],
  estimatedRows: 30,
  example: "select pid, protocol, local_address, local_port from process_open_sockets where state = 'listen'",
};
