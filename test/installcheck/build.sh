#!/bin/bash
# Builds the disk on which the guest runs PostgreSQL's own regression scripts: Debian's riscv64 PostgreSQL 17, pg_regress,
# a fresh cluster, and the output that each script gave on qemu-system-riscv64 as what pg_regress expects.
#
#   build.sh   builds it if it is missing, then prints the path of the ext4 image (2 GB, sparse)
#
# The scripts are those of Debian's source package libpg-query, the parser of PostgreSQL 17 as a library: it carries the
# SQL of PostgreSQL's suites for its own tests, without expected output, the files the scripts load, and the functions
# they need in C. So the rows are made by data.py, and what calls such a function tells of an error on every machine.
# Kept by content hash as firmware/build.sh keeps its products.

set -euo pipefail
installcheck_dir=$(cd "$(dirname "$0")" && pwd)
firmware_dir=$(cd "$installcheck_dir/../../firmware" && pwd)
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
umask 022

. "$firmware_dir/lib/cache.sh"
. "$firmware_dir/lib/private-apt.sh"
. "$firmware_dir/lib/debian-tree.sh"
for stage in kernel opensbi busybox; do . "$firmware_dir/stages/$stage.sh"; done

installcheck_guest_inputs() {
  (cd "$installcheck_dir" && sha256sum init schedule data.py)
  declare -f installcheck_guest_build installcheck_scripts installcheck_boot
  grep -E '^(busybox_suite|regress_)' "$firmware_dir/versions.lock"
  cat "$firmware_dir/lib/debian-tree.sh" "$(cache_path busybox)/SHA256SUMS" "$(cache_path kernel)/SHA256SUMS"
}

installcheck_guest_build() {
  local out=$1 work=$2 regress=$2/root/bench/regress
  need_programs mke2fs qemu-system-riscv64 python3
  # The time zones of scripts are those of tzdata-legacy; their differences are told by diff itself.
  debian_tree "$work/root" "$work" postgresql-17 tzdata-legacy diffutils
  ln -sf /bench/busybox "$work/root/usr/bin/su" # Debian's asks PAM
  install -m 755 "$installcheck_dir/init" "$work/root/bench/init"
  printf 'root:x:0:0:root:/root:/bin/sh\npostgres:x:100:100:postgres:/tmp:/bin/sh\n' >"$work/root/etc/passwd"
  printf 'root:x:0:\npostgres:x:100:\n' >"$work/root/etc/group"
  mkdir -p "$regress"/{sql,expected,data,out}
  installcheck_scripts "$regress/sql" "$work"
  python3 "$installcheck_dir/data.py" "$regress/data"
  install -m 644 "$installcheck_dir/schedule" "$regress/schedule"
  (cd "$work/debs" && ls ./*.deb) >"$out/packages.txt"
  rm -f "$work/disk.ext4"
  truncate -s 2G "$work/disk.ext4"
  mke2fs -q -F -t ext4 -m 0 -E lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0 -d "$work/root" "$work/disk.ext4"
  installcheck_boot cluster "$work/disk.ext4" "$work/console"
  cp --sparse=always "$work/disk.ext4" "$out/disk.ext4"
}

# The source archive is checked by its hash alone; nothing of it is built.
installcheck_scripts() {
  local sql=$1 work=$2 suite archive apt
  suite=$(lock_value regress_suite)
  archive=$(lock_value regress_archive)
  apt=$(cache_root)/apt/$suite-source
  private_apt_prepare "$apt" "$suite" "$(dpkg --print-architecture)" deb-src
  rm -rf "$work/source"
  mkdir -p "$work/source"
  (cd "$work/source" && private_apt "$apt" -qq --download-only --tar-only source "$(lock_value regress_package)" >&2)
  [ -e "$work/source/$archive" ] || fail "the mirror's source package $(lock_value regress_package) has no $archive"
  [ "$(sha256_of "$work/source/$archive")" = "$(lock_value regress_archive_sha256)" ] ||
    fail "$archive is not the one pinned in versions.lock"
  tar -xf "$work/source/$archive" -C "$sql" --no-same-owner --strip-components=4 --wildcards \
    '*/test/sql/postgres_regress/*.sql' '*/test/sql/plpgsql_regress/*.sql'
  # Servers newer than these scripts find no file of a temporary table by its number; the list would tell of other numbers
  # at each run.
  sed -i "s/AND mapped_oid IS DISTINCT FROM oid;/AND relpersistence <> 't' &/" "$sql/alter_table.sql"
}

# Lets the guest do one task on qemu-system-riscv64, and end in order.
installcheck_boot() {
  local task=$1 disk=$2 console=$3
  timeout 7200 qemu-system-riscv64 -machine virt -cpu rv64,zba=true,zbb=true,zbc=true,zbs=true -smp 1 -m 1G \
    -nographic -nodefaults -no-reboot -serial stdio \
    -bios "$(cache_path opensbi)/fw_dynamic.bin" -kernel "$(cache_path kernel)/Image" \
    -append "console=ttyS0 root=/dev/vda rw init=/bench/init installcheck.$task quiet" \
    -drive "file=$disk,format=raw,if=none,id=d" -device virtio-blk-device,drive=d </dev/null >"$console" || true
  grep -q "^@done $task" "$console" || { tail -n 20 "$console" >&2; fail "the guest could not do its task ($task)"; }
}

installcheck_inputs() {
  cat "$(cache_path installcheck_guest)/SHA256SUMS"
  declare -f installcheck_build installcheck_boot
}

# What qemu-system-riscv64 answers becomes what is expected, on the same disk as it was before.
installcheck_build() {
  local out=$1 work=$2 disk=$2/disk.ext4 name
  need_programs debugfs qemu-system-riscv64
  cp --sparse=always --no-preserve=mode "$(cache_path installcheck_guest)/disk.ext4" "$disk"
  say "running the scripts on qemu-system-riscv64, which takes up to half an hour"
  installcheck_boot run "$disk" "$out/console"
  debugfs -R "rdump /bench/regress/out/results $work" "$disk" 2>"$work/debugfs.log"
  cp --sparse=always --no-preserve=mode "$(cache_path installcheck_guest)/disk.ext4" "$disk"
  mkdir -p "$out/expected"
  for name in $(sed -n 's/^test: //p' "$installcheck_dir/schedule"); do
    [ -s "$work/results/$name.out" ] || fail "$name left no output"
    cp "$work/results/$name.out" "$out/expected"
    printf 'write %s /bench/regress/expected/%s\n' "$out/expected/$name.out" "$name.out"
  done >"$work/commands"
  debugfs -w -f "$work/commands" "$disk" >"$work/debugfs.log" 2>&1
  ! grep -vE '^(debugfs|Allocated inode:)' "$work/debugfs.log" | grep . >&2 || fail "debugfs reported errors"
  cp --sparse=always "$disk" "$out/disk.ext4"
}

cache_ensure busybox
cache_ensure installcheck_guest
cache_ensure installcheck
printf '%s/disk.ext4\n' "$(cache_path installcheck)"
