#include "vm/network_option.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static bool starts_with(const char *text, size_t length, const char *prefix) {
  return length >= strlen(prefix) && memcmp(text, prefix, strlen(prefix)) == 0;
}

/* One to five digits up to `end`, 1..65535. */
static bool parse_port(const char *text, const char *end, uint16_t *port) {
  unsigned value = 0;
  if (text == end || end - text > 5) return false;
  for (; text < end; text++) {
    if (*text < '0' || *text > '9') return false;
    value = value * 10 + (unsigned)(*text - '0');
  }
  *port = (uint16_t)value;
  return value >= 1 && value <= UINT16_MAX;
}

bool forward_parse(struct net_forward *forward, const char *text, size_t length) {
  static const char protocol[] = "tcp:", arrow[] = "-:";
  char copy[FORWARD_TEXT_MAX];
  if (length >= sizeof copy || !starts_with(text, length, protocol) || memchr(text, 0, length)) return false;
  memcpy(copy, text, length);
  copy[length] = 0;
  char *address = copy + strlen(protocol), *colon = strchr(address, ':');
  char *to = colon ? strstr(colon, arrow) : NULL;
  if (!to) return false;
  *colon = 0;
  struct in_addr parsed = {htonl(INADDR_LOOPBACK)};
  if (*address && inet_pton(AF_INET, address, &parsed) != 1) return false;
  forward->host_address = parsed.s_addr;
  return parse_port(colon + 1, to, &forward->host_port) &&
         parse_port(to + strlen(arrow), copy + length, &forward->guest_port);
}

static bool parse_access(const char *text, size_t length, enum net_access *access) {
  static const char *const names[] = {
      [NET_ISOLATED] = "isolated", [NET_OUTSIDE] = "outside", [NET_HOST] = "host"};
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
    if (strlen(names[i]) != length || memcmp(names[i], text, length) != 0) continue;
    *access = (enum net_access)i;
    return true;
  }
  return false;
}

static bool parse_part(struct network_options *options, const char *text, size_t length) {
  static const char access[] = "access=", hostfwd[] = "hostfwd=";
  if (starts_with(text, length, access))
    return parse_access(text + strlen(access), length - strlen(access), &options->access);
  if (!starts_with(text, length, hostfwd) || options->count == NETWORK_FORWARDS_MAX) return false;
  return forward_parse(&options->forwards[options->count++], text + strlen(hostfwd),
                       length - strlen(hostfwd));
}

bool network_parse(struct network_options *options, const char *text, char *error, size_t error_size) {
  memset(options, 0, sizeof *options);
  for (unsigned part = 0;; part++) {
    size_t length = strcspn(text, ",");
    bool good = part ? parse_part(options, text, length) : length == 4 && memcmp(text, "user", 4) == 0;
    if (!good) {
      snprintf(
          error, error_size,
          "network: \"%.*s\" is not user[,access=isolated|outside|host][,hostfwd=tcp:[ADDRESS]:PORT-:PORT]…",
          length < 80 ? (int)length : 80, text);
      return false;
    }
    if (!text[length]) return true;
    text += length + 1;
  }
}
