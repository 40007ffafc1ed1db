/* A program that never ends. */
  .globl _start
  .section .text.init, "ax"
_start:
  j _start

  .section .tohost, "aw", @progbits
  .globl tohost
  .globl fromhost
  .balign 64
tohost: .dword 0
  .balign 64
fromhost: .dword 0
