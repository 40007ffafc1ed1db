#!/bin/bash
# Builds the initramfs of a machine that has machines in it.
#
#   build.sh OUT LEVELS VM FIRMWARE KERNEL WORKLOAD
#
# OUT/level1.cpio is the initramfs of the outermost one, OUT/levelN.cpio that of the Nth. All but the last hold
# linuxsql-vm for riscv64 (VM) and what the next level boots from. They are not compressed: a machine would have to
# undo that for each machine in it.

set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export LC_ALL=C
umask 022

out=$1 levels=$2 vm=$3 firmware=$4 kernel=$5 workload=$6
mkdir -p "$out"
init=$out/init
riscv64-linux-gnu-gcc -std=gnu17 -O2 -Wall -Wextra -Werror -static -s -o "$init" "$here/init.c"

for ((level = levels; level >= 1; level--)); do
  root=$out/root
  rm -rf "$root"
  mkdir -p "$root/dev"
  install -m 755 "$init" "$root/init"
  install -m 755 "$workload" "$root/workload"
  if ((level < levels)); then
    mkdir -p "$root/inner"
    riscv64-linux-gnu-strip -o "$root/linuxsql-vm" "$vm"
    cp "$firmware" "$root/inner/firmware"
    cp "$kernel" "$root/inner/kernel"
    cp "$out/level$((level + 1)).cpio" "$root/inner/initramfs"
  fi
  (cd "$root" && find . -print0 | sort -z | cpio --quiet --null --create --format=newc --owner=0:0) >"$out/level$level.cpio"
done
rm -rf "$root"
