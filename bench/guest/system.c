/* What the kernel does: system calls, processes, page faults, pipes. Checksums say that each step did what it
 * should. */
#define _GNU_SOURCE
#include "workload.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* scale: calls. */
uint64_t workload_getppid(uint32_t scale) {
  long parent = syscall(SYS_getppid);
  uint64_t same = 0;
  for (uint32_t i = 0; i < scale; i++) same += syscall(SYS_getppid) == parent;
  return same;
}

/* scale: children, each of which ends at once with a status of its own. */
uint64_t workload_fork(uint32_t scale) {
  uint64_t sum = MIX_START;
  for (uint32_t i = 0; i < scale; i++) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) _exit((int)(i & 0x7F));
    if (child < 0 || waitpid(child, &status, 0) != child) workload_fail("fork");
    sum = mix(sum, (uint64_t)WEXITSTATUS(status));
  }
  return sum;
}

/* scale: pages of 4 KB, taken and given back sixteen megabytes at a time. */
uint64_t workload_faults(uint32_t scale) {
  enum { PAGES = 4096, PAGE = 4096 };
  uint64_t sum = 0;
  for (uint32_t done = 0; done < scale;) {
    uint8_t *area =
        mmap(NULL, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED) workload_fail("mmap");
    madvise(area, (size_t)PAGES * PAGE, MADV_NOHUGEPAGE); /* one fault a page on any host */
    for (uint32_t i = 0; i < PAGES && done < scale; i++, done++) {
      sum += area[(size_t)i * PAGE + 8];
      area[(size_t)i * PAGE] = (uint8_t)done;
      sum += area[(size_t)i * PAGE];
    }
    munmap(area, (size_t)PAGES * PAGE);
  }
  return sum;
}

static void echo(int in, int out) {
  uint8_t byte;
  while (read(in, &byte, 1) == 1) {
    byte = (uint8_t)(byte * 3 + 1);
    if (write(out, &byte, 1) != 1) _exit(1);
  }
  _exit(0);
}

/* scale: bytes sent to another process of the same processor and answered by it. */
uint64_t workload_pipe(uint32_t scale) {
  int there[2], back[2], status = 0;
  uint64_t sum = MIX_START;
  cpu_set_t one;
  pid_t child;
  CPU_ZERO(&one);
  CPU_SET((unsigned)sched_getcpu(), &one);
  sched_setaffinity(0, sizeof one, &one);
  if (pipe(there) != 0 || pipe(back) != 0) workload_fail("pipe");
  child = fork();
  if (child < 0) workload_fail("fork");
  if (child == 0) {
    close(there[1]);
    close(back[0]);
    echo(there[0], back[1]);
  }
  close(there[0]);
  close(back[1]);
  for (uint32_t i = 0; i < scale; i++) {
    uint8_t byte = (uint8_t)i;
    if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1) workload_fail("pipe");
    sum = mix(sum, byte);
  }
  close(there[1]);
  if (waitpid(child, &status, 0) != child || status != 0) workload_fail("pipe's other end");
  return sum;
}

/*
 * scale: functions written over one another, in eight places of a page, each made visible by fence.i and
 * called. Only a RISC-V program can do this; elsewhere it fails, and the benchmark has no figure for it.
 */
uint64_t workload_rewrite(uint32_t scale) {
#ifdef __riscv
  enum { PAGE = 4096, PLACE = 512, PLACES = 8 };
  uint8_t *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  uint64_t sum = MIX_START;
  if (page == MAP_FAILED) workload_fail("mmap");
  for (uint32_t i = 0; i < scale; i++) {
    volatile uint32_t *code = (volatile uint32_t *)(page + i % PLACES * PLACE);
    long (*function)(long) = (long (*)(long))(uintptr_t)code;
    uint32_t immediate = i * 7 & 0x7FF;
    code[0] = immediate << 20 | 10 << 15 | 10 << 7 | 0x13; /* addi a0, a0, immediate */
    code[1] = 0x00008067;                                  /* ret */
    __asm__ volatile("fence.i" ::: "memory");
    sum = mix(sum, (uint64_t)function((long)(i & 0xFF)));
    sum = mix(sum, (uint64_t)function(1));
  }
  return sum;
#else
  (void)scale;
  workload_fail("rewriting code is for RISC-V programs");
#endif
}
