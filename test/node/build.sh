#!/bin/bash
# Builds the disk of the Node guest: Debian's riscv64 nodejs and what it needs, busybox, one script.
#
#   build.sh   builds it if it is missing, then prints the path of the ext4 image
#
# Kept by content hash as firmware/build.sh keeps its products.

set -euo pipefail
node_dir=$(cd "$(dirname "$0")" && pwd)
firmware_dir=$(cd "$node_dir/../../firmware" && pwd)
. "$firmware_dir/lib/debian-tree.sh"

node_guest_inputs() {
  (cd "$node_dir" && sha256sum build.sh init script.mjs)
  cat "$firmware_dir/lib/debian-tree.sh" "$(cache_path busybox)/SHA256SUMS"
}

node_guest_build() {
  local out=$1 work=$2 kilobytes
  debian_tree "$work/root" "$work" nodejs
  install -m 755 "$node_dir/init" "$work/root/bench/init"
  install -m 644 "$node_dir/script.mjs" "$work/root/bench/script.mjs"
  (cd "$work/debs" && ls ./*.deb) >"$out/packages.txt"
  kilobytes=$(du -sk "$work/root" | cut -f1)
  guest_disk "$work/root" "$work/disk.ext4" "$((kilobytes + kilobytes / 8 + 32768))K"
  cp --sparse=always "$work/disk.ext4" "$out/disk.ext4"
}

cache_ensure busybox
cache_ensure node_guest
printf '%s/disk.ext4\n' "$(cache_path node_guest)"
