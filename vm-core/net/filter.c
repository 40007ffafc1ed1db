#include "net/filter.h"

enum { ETHERNET_HEADER = 14, ETHERTYPE_AT = 12, IPV4_HEADER = 20, IPV4_DESTINATION_AT = 16 };
enum { IPV4_LENGTH_AT = 2, IPV4_FRAGMENT_AT = 6, IPV4_NO_OPTIONS = 0x45, DO_NOT_FRAGMENT = 0x4000 };
enum { ETHERTYPE_IPV4 = 0x0800, ETHERTYPE_ARP = 0x0806 };

static uint32_t big_endian(const uint8_t *bytes, unsigned size) {
  uint32_t value = 0;
  for (unsigned i = 0; i < size; i++) value = value << 8 | bytes[i];
  return value;
}

static bool leaves_host(uint32_t address) {
  uint32_t first = address >> 24;
  bool link_local = address >> 16 == 0xa9fe;
  return first != 0 && first != 127 && first < 224 && !link_local;
}

bool net_allows(enum net_access access, const uint8_t *frame, size_t size) {
  if (size < NET_FRAME_MIN || size > NET_FRAME_MAX) return false;
  uint32_t type = big_endian(frame + ETHERTYPE_AT, 2);
  if (type == ETHERTYPE_ARP) return true;
  if (type != ETHERTYPE_IPV4 || size < ETHERNET_HEADER + IPV4_HEADER) return false;
  const uint8_t *packet = frame + ETHERNET_HEADER;
  uint32_t length = big_endian(packet + IPV4_LENGTH_AT, 2),
           fragment = big_endian(packet + IPV4_FRAGMENT_AT, 2);
  if (packet[0] != IPV4_NO_OPTIONS || length < IPV4_HEADER || length > size - ETHERNET_HEADER) return false;
  if (fragment & ~(uint32_t)DO_NOT_FRAGMENT) return false;
  uint32_t destination = big_endian(packet + IPV4_DESTINATION_AT, 4);
  if ((destination & NET_MASK) == NET_ADDRESS || destination == UINT32_MAX) return true;
  return access != NET_ISOLATED && leaves_host(destination);
}
