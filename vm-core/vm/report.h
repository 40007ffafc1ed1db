/* Copies the machine's figures into the telemetry area: counters and the hart snapshot. Hart thread. */
#ifndef VM_REPORT_H
#define VM_REPORT_H

#include <stdio.h>

#include "vm/runner.h"

/* Called at input epochs, before the hart idles, and at every stop. */
void report(struct runner *runner);

/* Write what --stats asks for and close the file. false with errno. */
bool report_stats(const struct runner *runner, FILE *out);

#endif
