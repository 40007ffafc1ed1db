/* Changes of a machine that can be taken back: between begin and its end, what RAM held is kept (vm/undo.h),
 * the disk and the input log are held back from the database, and hart and devices are put aside.
 *
 * Hart thread, between two instructions. One at a time. Taken back are: RAM, hart, devices, disk, typed input
 * that the guest had not read, the logged input, a reboot of the guest, whether it ran or stood still. What
 * others saw of it meanwhile (console output, events) stays seen. */
#ifndef VM_TRANSACTION_H
#define VM_TRANSACTION_H

#include "store/state.h"
#include "vm/runner.h"

/* Each: false with an error that says why; then nothing has changed, but that a failed commit can only be
 * rolled back. A rollback cannot be refused: on failure the machine must end. */
bool transaction_begin(struct runner *runner, struct state_error *error);
bool transaction_commit(struct runner *runner, struct state_error *error);
bool transaction_rollback(struct runner *runner, struct state_error *error);

#endif
