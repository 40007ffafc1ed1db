/* Copies the machine's figures into the telemetry area: counters and the hart snapshot. Hart thread. */
#ifndef VM_REPORT_H
#define VM_REPORT_H

#include "vm/runner.h"

/* Called at input epochs, before the hart idles, and at every stop. */
void report(struct runner *runner);

/* The --stats file. false with one line in `error`. */
bool report_stats(const struct runner *runner, const char *path, char *error, size_t error_size);

#endif
