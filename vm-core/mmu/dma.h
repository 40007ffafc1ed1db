/* Device access to guest RAM. Hart thread only.
 *
 * Same choke point as the software TLB: pages become present, dirty, lose their decoded blocks, and a
 * reservation on a touched line is broken. false: the range is not wholly inside RAM; then nothing was read
 * or written. */
#ifndef MMU_DMA_H
#define MMU_DMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hart;

bool dma_read(struct hart *hart, uint64_t gpa, void *buffer, size_t size);
bool dma_write(struct hart *hart, uint64_t gpa, const void *buffer, size_t size);

#endif
