/* linuxsql-net itself, driven as the daemon drives it: it is confined before it sees a frame, serves
 * forwards, keeps what it was told to keep from the guest, and survives hostile frames. Seeded;
 * LINUXSQL_TEST_SCALE multiplies the frames. */
#include "vm/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test/rig.h"

enum { FRAMES = 20000, WAIT_MS = 5000 };

/* The helper is looked for beside the program that starts it. */
static void link_helper(void) {
  char path[PATH_MAX];
  ssize_t length = readlink("/proc/self/exe", path, sizeof path - 32);
  if (length <= 0) exit(1);
  path[length] = 0;
  strcpy(strrchr(path, '/') + 1, "linuxsql-net");
  if (symlink("../linuxsql-net", path) != 0 && errno != EEXIST) exit(1);
}

static void begin(struct rig *t, struct network *network, const char *text) {
  struct network_options options;
  char error[512] = "";
  network_init(network);
  network_prepare(network);
  bool started = network_parse(&options, text, error, sizeof error) &&
                 network_start(network, &options, error, sizeof error);
  CHECK(t, started, "%s: %s", text, error);
}

static bool status_says(const struct network *network, const char *line) {
  char path[64], text[8192];
  snprintf(path, sizeof path, "/proc/%d/status", network->pid);
  FILE *file = fopen(path, "r");
  size_t size = file ? fread(text, 1, sizeof text - 1, file) : 0;
  if (file) fclose(file);
  text[size] = 0;
  return strstr(text, line) != NULL;
}

static void test_confined(struct rig *t, struct network *network) {
  CHECK(t, status_says(network, "Seccomp:\t2\n"), "a seccomp filter");
  CHECK(t, status_says(network, "NoNewPrivs:\t1\n"), "no new privileges");
  CHECK(t, status_says(network, "CapEff:\t0000000000000000\n"), "no capabilities");
}

static void arp_request(uint8_t frame[42]) {
  static const uint8_t request[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 0x12, 0x34,
                                    0x56, 8,    6,    0,    1,    8,    0,    6,    4, 0,    1};
  memset(frame, 0, 42);
  memcpy(frame, request, sizeof request);
  memcpy(frame + 22, request + 6, 6);
  memcpy(frame + 28, (const uint8_t[]){10, 0, 2, 15}, 4);
  memcpy(frame + 38, (const uint8_t[]){10, 0, 2, 2}, 4);
}

/* The next frame of a type, others dropped; 0: none came in time. */
static size_t next_frame(struct network *network, unsigned type, uint8_t *frame) {
  for (;;) {
    size_t size = network_receive(network, frame);
    if (size > 14 && frame[12] << 8 == (int)(type & 0xff00) && frame[13] == (type & 0xff)) return size;
    if (network->ended) return 0;
    if (!size && poll(&(struct pollfd){network->frames_fd, POLLIN, 0}, 1, WAIT_MS) <= 0) return 0;
  }
}

static void test_alive(struct rig *t, struct network *network) {
  uint8_t frame[NET_FRAME_MAX + 1];
  arp_request(frame);
  network_transmit(network, frame, 42);
  size_t size = next_frame(network, 0x0806, frame);
  CHECK(t, size >= 42 && frame[21] == 2 && memcmp(frame + 28, (const uint8_t[]){10, 0, 2, 2}, 4) == 0,
        "the gateway answers ARP: %zu bytes", size);
}

static int answer_of(struct network *network, uint64_t id) {
  struct net_answer answer;
  for (;;) {
    if (network_answer(network, &answer)) return answer.id == id ? answer.error : -1;
    if (network->ended) return EPIPE;
    if (poll(&(struct pollfd){network->requests_fd, POLLIN, 0}, 1, WAIT_MS) <= 0) return -1;
  }
}

static int connect_to(uint16_t port) {
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int error = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
  close(fd);
  return error;
}

/* A port of the loopback that is free now, held by `*fd` until that is closed. */
static uint16_t take_port(int *fd) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(*fd, (struct sockaddr *)&address, length) || listen(*fd, 8) ||
      getsockname(*fd, (struct sockaddr *)&address, &length))
    exit(1);
  return ntohs(address.sin_port);
}

static void test_forwards(struct rig *t, struct network *network) {
  int held;
  uint16_t port = take_port(&held);
  struct net_forward forward = {htonl(INADDR_LOOPBACK), port, 80};
  CHECK(t, answer_of(network, network_forward(network, &forward, false)) == EADDRINUSE, "a port in use");
  close(held);
  CHECK(t, answer_of(network, network_forward(network, &forward, false)) == 0, "a forward");
  CHECK(t, connect_to(port) == 0, "it listens");
  uint8_t frame[NET_FRAME_MAX + 1];
  arp_request(frame);
  network_transmit(network, frame, 42);
  CHECK(t, next_frame(network, 0x0800, frame) >= 54 && frame[23] == 6 && frame[47] == 2, "SYN to the guest");
  CHECK(t, answer_of(network, network_forward(network, &forward, true)) == 0, "its end");
  CHECK(t, connect_to(port) == ECONNREFUSED, "it listens no more");
  CHECK(t, answer_of(network, network_forward(network, &forward, true)) == ENOENT, "no forward to end");
}

static uint16_t checksum(const uint8_t *bytes, size_t size, uint32_t sum) {
  for (size_t i = 0; i < size; i++) sum += (uint32_t)bytes[i] << (i % 2 ? 0 : 8);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)~sum;
}

static void put16(uint8_t *at, unsigned value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

/* A TCP SYN with good checksums. */
static size_t syn(uint8_t *frame, const char *address, uint16_t port) {
  memset(frame, 0, 54);
  arp_request(frame);
  put16(frame + 12, 0x0800);
  uint8_t *ip = frame + 14, *tcp = ip + 20;
  memset(ip, 0, 40);
  ip[0] = 0x45, ip[8] = 64, ip[9] = 6;
  put16(ip + 2, 40);
  memcpy(ip + 12, (const uint8_t[]){10, 0, 2, 15}, 4);
  inet_pton(AF_INET, address, ip + 16);
  put16(ip + 10, checksum(ip, 20, 0));
  put16(tcp, 40000);
  put16(tcp + 2, port);
  tcp[12] = 5 << 4, tcp[13] = 2;
  put16(tcp + 14, 4096);
  uint32_t pseudo = 6 + 20;
  for (unsigned i = 12; i < 20; i += 2) pseudo += (uint32_t)(ip[i] << 8 | ip[i + 1]);
  put16(tcp + 16, checksum(tcp, 20, pseudo));
  return 54;
}

/* Whether a server on the host's loopback hears of a SYN to `address`. */
static bool reaches(struct network *network, const char *address) {
  int server;
  uint16_t port = take_port(&server);
  uint8_t frame[NET_FRAME_MAX + 1];
  network_transmit(network, frame, syn(frame, address, port));
  arp_request(frame);
  network_transmit(network, frame, 42);
  next_frame(network, 0x0806, frame); /* the frame before this one has been dealt with */
  bool heard = poll(&(struct pollfd){server, POLLIN, 0}, 1, 300) > 0;
  close(server);
  return heard;
}

/* What follows the IP header gets a good checksum (UDP: none), so that it is looked at. */
static void fix_payload(uint8_t *frame, size_t size) {
  static const uint8_t at[] = {[1] = 2, [6] = 16, [17] = 6};
  uint8_t protocol = frame[23], *payload = frame + 34;
  size_t length = size - 34;
  if (size < 34 + 20 || protocol >= sizeof at || !at[protocol]) return;
  memcpy(frame + 26, (const uint8_t[]){10, 0, 2, 15}, 4);
  put16(frame + 24, 0);
  put16(frame + 24, checksum(frame + 14, 20, 0));
  put16(payload + at[protocol], 0);
  if (protocol == 17) {
    put16(payload + 4, (unsigned)length);
    return;
  }
  uint32_t pseudo = protocol == 6 ? (uint32_t)(6 + length) : 0;
  for (unsigned i = 26; i < 34 && protocol == 6; i += 2) pseudo += (uint32_t)(frame[i] << 8 | frame[i + 1]);
  put16(payload + at[protocol], checksum(payload, length, pseudo));
}

/* Frames that are noise, and good ones with something spoiled. */
static void test_hostile(struct rig *t, struct network *network, uint64_t seed) {
  const char *scale = getenv("LINUXSQL_TEST_SCALE");
  long count = FRAMES * (scale && atoi(scale) > 0 ? atoi(scale) : 1);
  static const uint8_t protocols[] = {1, 6, 17, 2, 0};
  uint8_t frame[NET_FRAME_MAX + 1];
  for (long i = 0; i < count && !network->ended; i++) {
    uint64_t choice = rig_random(&seed);
    size_t size = NET_FRAME_MIN + rig_random(&seed) % (choice & 1 ? 100 : NET_FRAME_MAX - NET_FRAME_MIN + 1);
    for (size_t at = 0; at < sizeof frame; at++) frame[at] = (uint8_t)rig_random(&seed);
    if (choice & 2) arp_request(frame);
    if (choice & 4) {
      put16(frame + 12, 0x0800);
      frame[14] = (uint8_t)(0x40 | (choice & 0x700 ? 5 : choice >> 12 & 15));
      put16(frame + 16, choice & 0x10000 ? (unsigned)size - 14 : (unsigned)(choice >> 20 & 0xffff));
      put16(frame + 20, choice & 0x20000 ? 0 : (unsigned)(choice >> 36 & 0xffff)); /* fragments */
      frame[23] = protocols[(choice >> 52) % 5];
      memcpy(frame + 30, (const uint8_t[]){10, 0, 2, (uint8_t)(2 + (choice >> 56) % 3)}, 4);
      if (choice & 0x40000) put16(frame + 36, 67 + 2 * (choice >> 60 & 1)); /* DHCP, TFTP */
      put16(frame + 24, 0);
      put16(frame + 24, checksum(frame + 14, 4u * (frame[14] & 15), 0));
      if (choice & 0x80000) fix_payload(frame, size);
    }
    network_transmit(network, frame, size);
    while (network_receive(network, frame)) continue;
  }
  test_alive(t, network);
  CHECK(t, !network->ended, "the helper has ended");
}

int main(void) {
  struct rig *t = calloc(1, sizeof *t);
  struct network network;
  link_helper();
  begin(t, &network, "user");
  test_confined(t, &network);
  test_alive(t, &network);
  test_forwards(t, &network);
  CHECK(t, !reaches(&network, "10.0.2.2") && !reaches(&network, "127.0.0.1"), "isolated from the host");
  test_hostile(t, &network, 1);
  network_stop(&network);
  begin(t, &network, "user,access=outside");
  test_confined(t, &network);
  test_alive(t, &network);
  CHECK(t, !reaches(&network, "10.0.2.2") && !reaches(&network, "127.0.0.1"), "kept from the loopback");
  network_stop(&network);
  begin(t, &network, "user,access=host");
  test_confined(t, &network);
  test_alive(t, &network);
  CHECK(t, reaches(&network, "10.0.2.2") && !reaches(&network, "127.0.0.1"), "the loopback by its alias");
  test_hostile(t, &network, 2);
  network_stop(&network);
  int status = rig_finish(t);
  free(t);
  return status;
}
