/*
 * The mix of work that CoreMark does, written anew: linked lists (find, reverse, merge sort), small integer
 * matrices and a state machine over text, all folded into a CRC-16. scale: rounds.
 */
#include "workload.h"

#define NODES 96
#define SIDE  10
#define TEXT  480

struct node {
  struct node *next;
  int16_t key;
  int16_t value;
};

static uint16_t crc_byte(uint16_t crc, uint8_t byte) {
  for (int bit = 0; bit < 8; bit++) {
    unsigned carry = (crc ^ byte) & 1;
    crc >>= 1;
    if (carry) crc ^= 0xA001;
    byte >>= 1;
  }
  return crc;
}

static uint16_t crc_word(uint16_t crc, uint32_t word) {
  for (int i = 0; i < 4; i++) crc = crc_byte(crc, (uint8_t)(word >> (8 * i)));
  return crc;
}

static struct node *reverse(struct node *list) {
  struct node *done = NULL;
  while (list != NULL) {
    struct node *next = list->next;
    list->next = done;
    done = list;
    list = next;
  }
  return done;
}

static int by_key(const struct node *a, const struct node *b) { return a->key - b->key; }

static int by_value(const struct node *a, const struct node *b) {
  return a->value != b->value ? a->value - b->value : a->key - b->key;
}

typedef int compare_fn(const struct node *, const struct node *);

static struct node *merge(struct node *a, struct node *b, compare_fn *compare) {
  struct node head, *tail = &head;
  while (a != NULL && b != NULL) {
    struct node **smaller = compare(a, b) <= 0 ? &a : &b;
    tail->next = *smaller;
    tail = *smaller;
    *smaller = (*smaller)->next;
  }
  tail->next = a != NULL ? a : b;
  return head.next;
}

static struct node *sort(struct node *list, compare_fn *compare) {
  struct node *slow = list, *fast, *half;
  if (list == NULL || list->next == NULL) return list;
  for (fast = list->next; fast != NULL && fast->next != NULL; fast = fast->next->next) slow = slow->next;
  half = slow->next;
  slow->next = NULL;
  return merge(sort(list, compare), sort(half, compare), compare);
}

static uint16_t list_round(struct node *nodes, uint32_t round, uint16_t crc) {
  struct node *list = nodes;
  for (int i = 0; i < NODES; i++) {
    nodes[i].next = i + 1 < NODES ? &nodes[i + 1] : NULL;
    nodes[i].key = (int16_t)i;
    nodes[i].value = (int16_t)((i * 7919 + (int)round * 31) & 0x3FF);
  }
  for (int i = 0; i < 24; i++) {
    int wanted = (i * 37 + (int)round) & 0x3FF, steps = 0;
    for (const struct node *at = list; at != NULL && at->value != wanted; at = at->next) steps++;
    crc = crc_word(crc, (uint32_t)steps);
    list = reverse(list);
  }
  list = sort(list, by_value);
  crc = crc_word(crc, (uint32_t)(list->value << 8 | list->next->key));
  list = sort(list, by_key);
  for (const struct node *at = list; at != NULL; at = at->next) crc = crc_word(crc, (uint32_t)at->value);
  return crc;
}

static int32_t product_sum(const int16_t a[SIDE][SIDE], const int16_t b[SIDE][SIDE], int32_t c[SIDE][SIDE],
                           int bits) {
  int32_t sum = 0;
  for (int i = 0; i < SIDE; i++) {
    for (int j = 0; j < SIDE; j++) {
      int32_t total = 0;
      for (int k = 0; k < SIDE; k++) {
        int32_t term = a[i][k] * b[k][j];
        total += bits ? ((term >> 2) & 0xF) * ((term >> 5) & 0x7F) : term;
      }
      c[i][j] = total;
      sum += total > 0 ? 10 : total & 0xFF;
    }
  }
  return sum;
}

static uint16_t matrix_round(uint32_t round, uint16_t crc) {
  int16_t a[SIDE][SIDE], b[SIDE][SIDE];
  int32_t c[SIDE][SIDE];
  uint32_t seed = round + 1;
  for (int i = 0; i < SIDE; i++) {
    for (int j = 0; j < SIDE; j++) {
      seed = seed * 1103515245 + 12345;
      a[i][j] = (int16_t)((seed >> 16) & 0x1FF);
      b[i][j] = (int16_t)(((seed >> 8) & 0x1FF) - 256 + i);
    }
  }
  crc = crc_word(crc, (uint32_t)product_sum(a, b, c, 0));
  for (int i = 0; i < SIDE; i++) {
    for (int j = 0; j < SIDE; j++) a[i][j] = (int16_t)(a[i][j] + c[j][i]);
  }
  return crc_word(crc, (uint32_t)product_sum(a, b, c, 1));
}

enum scan_state { START, SIGN, DIGITS, POINT, FRACTION, EXPONENT, POWER, BAD, STATES };

static enum scan_state step(enum scan_state state, char c) {
  int digit = c >= '0' && c <= '9';
  switch (state) {
  case START: return digit ? DIGITS : c == '+' || c == '-' ? SIGN : c == '.' ? POINT : BAD;
  case SIGN: return digit ? DIGITS : c == '.' ? POINT : BAD;
  case DIGITS: return digit ? DIGITS : c == '.' ? FRACTION : c == 'e' ? EXPONENT : BAD;
  case POINT: return digit ? FRACTION : BAD;
  case FRACTION: return digit ? FRACTION : c == 'e' ? EXPONENT : BAD;
  case EXPONENT: return digit || c == '-' ? POWER : BAD;
  case POWER: return digit ? POWER : BAD;
  default: return BAD;
  }
}

static uint16_t state_round(char *text, uint32_t round, uint16_t crc) {
  static const char alphabet[] = "0123456789,.+-e,4271,53.8,";
  uint32_t counts[STATES] = {0}, seed = round * 2654435761u + 1;
  enum scan_state state = START;
  for (int i = 0; i < TEXT; i++) {
    seed = seed * 1664525 + 1013904223;
    text[i] = alphabet[(seed >> 24) % (sizeof alphabet - 1)];
  }
  for (int i = 0; i < TEXT; i++) {
    state = text[i] == ',' ? START : step(state, text[i]);
    counts[state]++;
  }
  for (int i = 0; i < STATES; i++) crc = crc_word(crc, counts[i]);
  return crc;
}

uint64_t workload_coremark(uint32_t scale) {
  struct node *nodes = workload_alloc(NODES * sizeof *nodes);
  char *text = workload_alloc(TEXT);
  uint64_t sum = MIX_START;
  uint16_t crc = 0;
  for (uint32_t round = 0; round < scale; round++) {
    crc = list_round(nodes, round, crc);
    crc = matrix_round(round, crc);
    crc = state_round(text, round, crc);
    sum = mix(sum, crc);
  }
  return sum;
}
