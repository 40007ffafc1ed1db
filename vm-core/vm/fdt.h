/* Edits a flattened device tree in place (Devicetree Specification 0.4, chapter 5): no node or property is
 * added, only values of properties that exist are replaced. Every offset of the blob is checked. Start-up,
 * main thread. */
#ifndef VM_FDT_H
#define VM_FDT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FDT_MIN_BYTES = 40 };

/* Total size the header states, or 0 when the blob is no device tree or its parts lie outside it. */
uint32_t fdt_size(const uint8_t *blob, size_t size);

/* Value of a property, or NULL. `path` is the node's full path ("" = root, "/chosen"); a component without
 * '@' also matches a node with a unit address. The blob must have passed fdt_size. */
uint8_t *fdt_property(uint8_t *blob, const char *path, const char *property, uint32_t *length);

/* Replace a property by FDT_NOP words. false: there is none. */
bool fdt_remove(uint8_t *blob, const char *path, const char *property);

/* Write a value of exactly the property's length: one or two big-endian 64-bit numbers. */
bool fdt_set_u64(uint8_t *blob, const char *path, const char *property, const uint64_t *values,
                 unsigned count);

/* Write bytes and pad with zeros to the property's length. false: no such property, or too long. */
bool fdt_set_bytes(uint8_t *blob, const char *path, const char *property, const void *bytes, size_t size);

#endif
