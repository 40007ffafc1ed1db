#!/bin/bash
# Builds the disk of the PostgreSQL guest: Debian's riscv64 PostgreSQL 17 and what it needs, busybox, a fresh cluster.
#
#   build.sh   builds it if it is missing, then prints the path of the ext4 image (1 GB, sparse)
#
# The cluster is made by the guest itself, in qemu-system-riscv64.
# Kept by content hash as firmware/build.sh keeps its products.

set -euo pipefail
postgres_dir=$(cd "$(dirname "$0")" && pwd)
firmware_dir=$(cd "$postgres_dir/../../firmware" && pwd)
. "$firmware_dir/lib/debian-tree.sh"

postgres_guest_inputs() {
  (cd "$postgres_dir" && sha256sum build.sh init rows.sql)
  lock_value busybox_suite
  cat "$firmware_dir/lib/debian-tree.sh" "$(cache_path busybox)/SHA256SUMS" "$(cache_path kernel)/SHA256SUMS"
}

postgres_guest_build() {
  local out=$1 work=$2
  need_programs qemu-system-riscv64
  debian_tree "$work/root" "$work" postgresql-17
  postgres_guest_settle "$work/root"
  (cd "$work/debs" && ls ./*.deb) >"$out/packages.txt"
  guest_disk "$work/root" "$work/disk.ext4" 1G
  postgres_guest_first_boot "$work/disk.ext4" "$work/console"
  cp --sparse=always "$work/disk.ext4" "$out/disk.ext4"
}

postgres_guest_settle() {
  local root=$1
  postgres_accounts "$root"
  ln -sf /usr/lib/postgresql/17/bin/psql "$root/usr/bin/psql" # Debian's is a script
  install -m 755 "$postgres_dir/init" "$root/bench/init"
  install -m 644 "$postgres_dir/rows.sql" "$root/bench/rows.sql"
}

# Lets the guest make its cluster, and end in order.
postgres_guest_first_boot() {
  local disk=$1 console=$2
  (
    for _ in $(seq 600); do
      if grep -q '@ready' "$console" 2>/dev/null; then break; fi
      sleep 1
    done
    echo off
    sleep 10
  ) | timeout 900 qemu-system-riscv64 -machine virt -smp 1 -m 512M -nographic -nodefaults -no-reboot -serial stdio \
    -bios "$(cache_path opensbi)/fw_dynamic.bin" -kernel "$(cache_path kernel)/Image" \
    -append 'console=ttyS0 root=/dev/vda rw init=/bench/init quiet' \
    -drive "file=$disk,format=raw,if=none,id=d" -device virtio-blk-device,drive=d >"$console" ||
    true
  if ! grep -q '@ready' "$console" || grep -q '@failed' "$console"; then
    tail -n 20 "$console" >&2
    fail "the guest could not make its cluster"
  fi
}

cache_ensure postgres_guest
printf '%s/disk.ext4\n' "$(cache_path postgres_guest)"
