#!/bin/bash
# Builds everything the machine boots: kernel, M-mode firmware, root file system, initramfs.
#
#   build.sh [PRODUCT…]   builds what is missing (all by default), then prints the paths as JSON
#   build.sh --print      prints the paths as JSON; fails, naming them, if some are not built
#
# Products: kernel opensbi busybox agent rootfs initramfs; on request debian (and what it is made of). Progress goes to stderr, JSON to stdout.
# Outputs are kept in ${LINUXSQL_CACHE:-<repository>/.linuxsql/cache}/<product>/<hash of inputs>/ and
# are never built twice. It may be interrupted anywhere and run again; the kernel build resumes.
# LINUXSQL_JOBS sets the number of compiler processes (default: one a processor). Needs no root.

set -euo pipefail
firmware_dir=$(cd "$(dirname "$0")" && pwd)
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
umask 022

. "$firmware_dir/lib/cache.sh"
. "$firmware_dir/lib/private-apt.sh"
. "$firmware_dir/lib/ext4.sh"
for stage in kernel opensbi busybox agent mini debian; do
  . "$firmware_dir/stages/$stage.sh"
done

products=(kernel opensbi busybox agent rootfs initramfs)
# Made when they are asked for; `build.sh debian` prints the path of its image.
extra_products=(debian_tree guest debian)

# The products a product's inputs are made of must exist before its key can be computed.
ensure() {
  case $1 in
    rootfs | initramfs) ensure kernel; ensure busybox; ensure agent ;;
    guest) ensure debian_tree ;;
    debian) ensure kernel; ensure opensbi; ensure busybox; ensure guest ;;
  esac
  cache_ensure "$1"
}

print_paths() {
  local key name file path separator='' missing=()
  for name in kernel opensbi busybox agent; do
    cache_has "$name" || missing+=("$name")
  done
  if [ ${#missing[@]} -eq 0 ]; then
    for name in rootfs initramfs; do
      cache_has "$name" || missing+=("$name")
    done
  fi
  [ ${#missing[@]} -eq 0 ] || fail "not built yet: ${missing[*]} (run firmware/build.sh)"
  printf '{'
  while read -r key name file; do
    path=$(cache_path "$name")
    printf '%s\n  "%s": "%s",\n  "%s_sha256": "%s"' "$separator" "$key" "$path/$file" "$key" "$(cache_sum "$name" "$file")"
    separator=,
  done <<'LIST'
kernel kernel Image
firmware opensbi fw_dynamic.bin
rootfs rootfs mini.ext4
initramfs initramfs initramfs.cpio.gz
LIST
  printf '\n}\n'
}

main() {
  local name
  if [ "${1:-}" = --print ]; then
    print_paths
    return
  fi
  for name in "$@"; do
    [[ " ${products[*]} ${extra_products[*]} " == *" $name "* ]] || fail "unknown product $name (known: ${products[*]} ${extra_products[*]})"
  done
  [ $# -gt 0 ] || set -- "${products[@]}"
  for name in "$@"; do
    ensure "$name"
  done
  [ $# -lt ${#products[@]} ] || print_paths
  [ "$*" != debian ] || printf '%s/debian.ext4\n' "$(cache_path debian)"
}

main "$@"
