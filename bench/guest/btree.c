/*
 * A B+tree of records in 4 KB pages, as a database keeps it: slots sorted by key point to records of varying
 * length, keys are compared as bytes, pages split when full. scale: records inserted; each is then looked up,
 * as many are looked up in vain, and all are read in order.
 */
#include "text.h"
#include "workload.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { PAGE = 4096, MAX_KEY = 40, MAX_LEVELS = 8 };

/* Records grow down from the end of the page, slots up from the header. An inner record's value is a child's
 * number. */
struct page {
  uint16_t count;
  uint16_t low; /* start of the lowest record */
  uint8_t leaf;
  uint8_t unused[3];
  uint32_t next; /* leaf: right neighbour, 0 for none; inner: child left of the first key */
  uint16_t slot[(PAGE - 12) / 2];
};

struct record {
  uint8_t key_length;
  uint8_t unused[3];
  uint32_t value;
  char key[];
};

struct tree {
  uint8_t *pages;
  uint32_t used, size, root;
};

static struct page *page_at(const struct tree *tree, uint32_t number) {
  return (struct page *)(tree->pages + (size_t)number * PAGE);
}

static uint32_t page_new(struct tree *tree, bool leaf) {
  struct page *page;
  if (tree->used == tree->size) workload_fail("too many pages");
  page = page_at(tree, tree->used);
  page->low = PAGE;
  page->leaf = leaf;
  return tree->used++;
}

static struct record *record_at(struct page *page, uint32_t slot) {
  return (struct record *)((uint8_t *)page + page->slot[slot]);
}

static int compare(const struct record *record, const char *key, size_t length) {
  size_t common = record->key_length < length ? record->key_length : length;
  int order = memcmp(record->key, key, common);
  return order != 0 ? order : (int)record->key_length - (int)length;
}

/* The first slot whose key is not below (or, with past, is above) the given one. */
static uint32_t search(struct page *page, const char *key, size_t length, bool past) {
  uint32_t low = 0, high = page->count;
  while (low < high) {
    uint32_t middle = (low + high) / 2;
    int order = compare(record_at(page, middle), key, length);
    if (order < 0 || (past && order == 0))
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static bool page_add(struct page *page, uint32_t slot, const char *key, size_t length, uint32_t value) {
  size_t bytes = (sizeof(struct record) + length + 3) & ~(size_t)3;
  size_t slots_end = offsetof(struct page, slot) + (page->count + 1u) * sizeof(uint16_t);
  struct record *record;
  if (slots_end + bytes > page->low) return false;
  page->low = (uint16_t)(page->low - bytes);
  memmove(&page->slot[slot + 1], &page->slot[slot], (page->count - slot) * sizeof(uint16_t));
  page->slot[slot] = page->low;
  page->count++;
  record = record_at(page, slot);
  record->key_length = (uint8_t)length;
  record->value = value;
  memcpy(record->key, key, length);
  return true;
}

/* Moves the upper half to a new page; the key that parts them goes to separator. Returns the new page's
 * number. */
static uint32_t split(struct tree *tree, uint32_t number, struct record *separator) {
  uint8_t copy[PAGE] __attribute__((aligned(8)));
  struct page *old = (struct page *)copy, *left = page_at(tree, number);
  uint32_t right_number = page_new(tree, left->leaf), middle = left->count / 2u;
  struct page *right = page_at(tree, right_number);
  struct record *parting;
  memcpy(copy, left, PAGE);
  parting = record_at(old, middle);
  memcpy(separator, parting, sizeof *parting + parting->key_length);
  left->count = 0;
  left->low = PAGE;
  for (uint32_t i = 0; i < old->count; i++) {
    struct record *record = record_at(old, i);
    struct page *to = i < middle ? left : right;
    if (i == middle && !old->leaf) continue; /* an inner separator moves up */
    page_add(to, to->count, record->key, record->key_length, record->value);
  }
  if (old->leaf) {
    right->next = old->next;
    left->next = right_number;
  } else {
    right->next = parting->value;
  }
  return right_number;
}

static uint32_t child_of(struct page *page, const char *key, size_t length) {
  uint32_t slot = search(page, key, length, true);
  return slot == 0 ? page->next : record_at(page, slot - 1)->value;
}

static void insert(struct tree *tree, const char *key, size_t length, uint32_t value) {
  uint32_t path[MAX_LEVELS], depth = 0, at = tree->root;
  uint64_t space[(sizeof(struct record) + MAX_KEY) / 8 + 1];
  struct record *separator = (struct record *)space;
  char carried[MAX_KEY];
  for (; !page_at(tree, at)->leaf; at = child_of(page_at(tree, at), key, length)) {
    if (depth == MAX_LEVELS) workload_fail("tree too deep");
    path[depth++] = at;
  }
  for (;;) {
    struct page *page = page_at(tree, at);
    uint32_t right;
    if (page_add(page, search(page, key, length, false), key, length, value)) return;
    right = split(tree, at, separator);
    page = page_at(tree, compare(separator, key, length) <= 0 ? right : at);
    if (!page_add(page, search(page, key, length, false), key, length, value))
      workload_fail("record too large");
    if (depth == 0) {
      uint32_t root = page_new(tree, false);
      page_at(tree, root)->next = at;
      page_add(page_at(tree, root), 0, separator->key, separator->key_length, right);
      tree->root = root;
      return;
    }
    length = separator->key_length;
    memcpy(carried, separator->key, length);
    key = carried;
    value = right;
    at = path[--depth];
  }
}

static bool lookup(const struct tree *tree, const char *key, size_t length, uint32_t *value) {
  uint32_t at = tree->root, slot;
  struct page *page = page_at(tree, at);
  for (; !page->leaf; page = page_at(tree, at)) at = child_of(page, key, length);
  slot = search(page, key, length, false);
  if (slot == page->count || compare(record_at(page, slot), key, length) != 0) return false;
  *value = record_at(page, slot)->value;
  return true;
}

static size_t make_key(char *key, uint32_t number) {
  uint64_t state = number * 0x9E3779B97F4A7C15ULL + 1, random = next_random(&state);
  return (size_t)snprintf(key, MAX_KEY, "%s-%s-%08x", text_word(random >> 20), text_word(random >> 33),
                          number * 2654435761u);
}

static uint64_t scan(const struct tree *tree) {
  uint64_t sum = MIX_START;
  uint32_t at = tree->root;
  while (!page_at(tree, at)->leaf) at = page_at(tree, at)->next;
  do {
    struct page *page = page_at(tree, at);
    for (uint32_t i = 0; i < page->count; i++) sum = mix(sum, record_at(page, i)->value);
    at = page->next;
  } while (at != 0);
  return sum;
}

uint64_t workload_btree(uint32_t scale) {
  struct tree tree = {.size = scale / 16 + 64};
  char key[MAX_KEY];
  uint32_t found = 0, value;
  tree.pages = workload_alloc((size_t)tree.size * PAGE);
  tree.root = page_new(&tree, true); /* page 0 is the leftmost leaf, so 0 can end the chain of leaves */
  for (uint32_t i = 0; i < scale; i++) {
    size_t length = make_key(key, i);
    insert(&tree, key, length, i);
  }
  for (uint32_t i = 0; i < 2 * scale; i++) {
    size_t length = make_key(key, i);
    if (!lookup(&tree, key, length, &value)) continue;
    if (value != i) workload_fail("wrong record");
    found++;
  }
  return mix(scan(&tree), found);
}
