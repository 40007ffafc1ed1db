#!/bin/bash
# Builds the workloads: a riscv64 program that is the whole user space of an initramfs, and the same for this host.
#
#   build.sh   builds what is missing, then prints the folder that holds the products:
#              initramfs.cpio.gz  /init is the workload program, and nothing else
#              workload.riscv64   that program; static, so that it runs in any guest
#              workload.native    the same sources for the host
#
# Same inputs, same bytes, except workload.native. Kept by content hash as firmware/build.sh keeps its products.

set -euo pipefail
guest_dir=$(cd "$(dirname "$0")" && pwd)
firmware_dir=$(cd "$guest_dir/../../firmware" && pwd) # cache.sh expects it
export LC_ALL=C
umask 022

. "$firmware_dir/lib/cache.sh"

workloads_flags=(-std=gnu17 -O2 -Wall -Wextra -Werror)
workloads_epoch=1767225600 # 2026-01-01 00:00:00 UTC, the time of every file

workloads_inputs() {
  (cd "$guest_dir" && sha256sum build.sh *.c *.h *.def)
  gcc --version | head -n 1
  riscv64-linux-gnu-gcc --version | head -n 1
  dpkg-query -W -f '${Package} ${Version}\n' libc6-dev libc6-dev-riscv64-cross
}

workloads_build() {
  local out=$1 work=$2
  need_programs gcc riscv64-linux-gnu-gcc cpio gzip
  (
    cd "$guest_dir"
    riscv64-linux-gnu-gcc "${workloads_flags[@]}" -static -s -Wl,--build-id=none -o "$out/workload.riscv64" *.c -lm
    gcc "${workloads_flags[@]}" -o "$out/workload.native" *.c -lm
  )
  rm -rf "$work/root"
  mkdir -p "$work/root/dev"
  install -m 755 "$out/workload.riscv64" "$work/root/init"
  find "$work/root" -exec touch -h -d "@$workloads_epoch" {} +
  (cd "$work/root" && find . -print0 | LC_ALL=C sort -z |
    cpio --quiet --null --create --format=newc --reproducible --owner=0:0) | gzip -n -9 >"$out/initramfs.cpio.gz"
}

cache_ensure workloads
cache_path workloads
