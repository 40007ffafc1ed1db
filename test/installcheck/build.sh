#!/bin/bash
# Builds the disk on which the guest runs PostgreSQL's own regression suite: Debian's riscv64 PostgreSQL 17 with pg_regress, a
# fresh cluster, and from PostgreSQL's source the scripts, what they load, what they are expected to print, and the
# functions that they call, built for riscv64.
#
#   build.sh   builds it if it is missing, then prints the path of the ext4 image (2 GB, sparse)
#
# Kept by content hash as firmware/build.sh keeps its products.

set -euo pipefail
installcheck_dir=$(cd "$(dirname "$0")" && pwd)
firmware_dir=$(cd "$installcheck_dir/../../firmware" && pwd)
. "$firmware_dir/lib/debian-tree.sh"
suite=src/test/regress # in the source
modules=usr/lib/postgresql/17/lib # in the guest

installcheck_inputs() {
  (cd "$installcheck_dir" && sha256sum build.sh init)
  grep -E '^(busybox_suite|regress_)' "$firmware_dir/versions.lock"
  cat "$firmware_dir/lib/debian-tree.sh" "$(cache_path busybox)/SHA256SUMS" "$(cache_path kernel)/SHA256SUMS"
}

installcheck_build() {
  local out=$1 work=$2 root=$2/root
  need_programs qemu-system-riscv64 riscv64-linux-gnu-gcc bzip2
  # The time zones of scripts are those of tzdata-legacy; their differences are told by diff itself.
  debian_tree "$root" "$work" postgresql-17 postgresql-server-dev-17 tzdata-legacy diffutils
  installcheck_postgresql "$root" "$work"
  (cd "$work" && ls {debs,pinned}/*.deb) >"$out/packages.txt"
  postgres_accounts "$root"
  ln -sf /usr/share/zoneinfo/Etc/UTC "$root/etc/localtime" # Debian's list of time zones points there
  install -m 755 "$installcheck_dir/init" "$root/bench/init"
  mkdir -p "$root/bench/regress/out"
  cp -R "$work/source/$suite"/{sql,expected,data,parallel_schedule,resultmap} "$root/bench/regress"
  riscv64-linux-gnu-gcc -O2 -fPIC -shared -I"$root/usr/include/postgresql/17/server" -I"$root/usr/include/postgresql" \
    -o "$root/$modules/regress.so" "$work/source/$suite/regress.c"
  installcheck_cluster "$root" "$work/disk.ext4" "$work/console"
  cp --sparse=always "$work/disk.ext4" "$out/disk.ext4"
}

# Fetches a file of the package postgresql-17 into a folder.
installcheck_fetch() {
  local folder=$1 file=$2 sha256=$3 apt
  apt=$(cache_root)/apt/$(lock_value busybox_suite)-riscv64
  APT_CONFIG=$apt/apt.conf /usr/lib/apt/apt-helper -qq download-file \
    "$(private_apt_mirror)/pool/main/p/postgresql-17/$file" "$folder/$file" "SHA256:$sha256" >&2 ||
    fail "the mirror has no $file, which versions.lock pins"
}

# The pinned server over the newest one, and of its source the suite alone.
installcheck_postgresql() {
  local root=$1 work=$2 version deb source
  version=$(lock_value regress_version)
  deb=${version}-$(lock_value regress_revision)_riscv64.deb
  source=postgresql-17_$version.orig.tar.bz2
  mkdir -p "$work/pinned"
  installcheck_fetch "$work/pinned" "postgresql-17_$deb" "$(lock_value regress_server_sha256)"
  installcheck_fetch "$work/pinned" "postgresql-client-17_$deb" "$(lock_value regress_client_sha256)"
  installcheck_fetch "$work/pinned" "postgresql-server-dev-17_$deb" "$(lock_value regress_headers_sha256)"
  for deb in "$work/pinned"/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root" --keep-directory-symlink --no-same-owner
  done
  installcheck_fetch "$work" "$source" "$(lock_value regress_source_sha256)"
  rm -rf "$work/source"
  mkdir -p "$work/source"
  tar -xf "$work/$source" -C "$work/source" --no-same-owner --strip-components=1 --wildcards "*/$suite/*"
}

# Lets the guest make its cluster on qemu-system-riscv64, and end in order.
installcheck_cluster() {
  local root=$1 disk=$2 console=$3
  guest_disk "$root" "$disk" 2G
  timeout 1800 qemu-system-riscv64 -machine virt -cpu rv64,zba=true,zbb=true,zbc=true,zbs=true -smp 1 -m 1G \
    -nographic -nodefaults -no-reboot -serial stdio \
    -bios "$(cache_path opensbi)/fw_dynamic.bin" -kernel "$(cache_path kernel)/Image" \
    -append "console=ttyS0 root=/dev/vda rw init=/bench/init installcheck.cluster quiet" \
    -drive "file=$disk,format=raw,if=none,id=d" -device virtio-blk-device,drive=d </dev/null >"$console" || true
  grep -q "^@done cluster" "$console" || { tail -n 20 "$console" >&2; fail "the guest could not make its cluster"; }
}

cache_ensure busybox
cache_ensure installcheck
printf '%s/disk.ext4\n' "$(cache_path installcheck)"
