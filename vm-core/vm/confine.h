/* What the daemon may still ask of its host once it runs a guest: nothing by path name.
 *
 * Two layers, both for good. confine_files (Landlock, where the kernel has it) comes first, before any thread
 * is started: from then on no file can be executed, made, changed or removed but those named here. confine
 * (no_new_privs and a seccomp filter, all threads) comes when everything is open: the calls of
 * vm/syscalls.def remain, on the descriptors that are held. A call outside it fails with EPERM; one that only
 * an intruder would make (running a program, writing into another process) ends the daemon. */
#ifndef VM_CONFINE_H
#define VM_CONFINE_H

#include <stdbool.h>

/* Where files may still be changed, absolute or relative to the present folder; NULL: nowhere. */
struct confine_paths {
  const char *socket; /* made, locked and removed in its folder, with its lock file */
  const char *disk;   /* written */
  const char *dump;   /* made anew by every boot: its folder takes new files */
};
/* True when it is in force. Main thread, before others. */
bool confine_files(const struct confine_paths *paths);

/* What the daemon goes on to do, besides computing and using its descriptors. */
struct confine_needs {
  bool connect;  /* to Unix sockets: PostgreSQL, again after a lost connection */
  bool internet; /* to TCP */
  bool read;     /* open files for reading: certificates, name resolution */
  bool remove;   /* remove files: only where confine_files is in force, which says which */
};

/* ABSENT: this kernel (or emulator) filters no system calls. */
enum confine_result { CONFINE_ON, CONFINE_ABSENT, CONFINE_FAILED };
enum confine_result confine(const struct confine_needs *needs);

#endif
