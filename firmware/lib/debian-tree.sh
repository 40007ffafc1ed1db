# Disks of guests that run Debian's riscv64 packages, with busybox for all they lack. Packages are unpacked, their scripts do
# not run. Sourced by bash scripts that set -euo pipefail and know firmware_dir; brings what they need of lib/ and stages/.
#
#   debian_tree ROOT WORK PACKAGE...   fills the new folder ROOT; the packages and what they depend on stay in WORK/debs
#   postgres_accounts ROOT             users root and postgres, and a su that asks nobody
#   guest_disk ROOT DISK SIZE          an ext4 image of ROOT; SIZE as for truncate

export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
umask 022

. "$firmware_dir/lib/cache.sh"
. "$firmware_dir/lib/private-apt.sh"
for stage in kernel opensbi busybox; do . "$firmware_dir/stages/$stage.sh"; done

debian_tree() {
  local root=$1 work=$2 suite apt name deb
  shift 2
  need_programs apt-get dpkg-deb
  suite=$(lock_value busybox_suite)
  apt=$(cache_root)/apt/$suite-riscv64
  private_apt_prepare "$apt" "$suite" riscv64
  mkdir -p "$work/debs/partial"
  private_apt "$apt" -qq -y --download-only -o Dir::Cache::archives="$work/debs" -o Debug::NoLocking=1 install "$@" >&2
  rm -rf "$root"
  mkdir -p "$root"/{bench,dev,proc,sys,run,tmp,etc,var/lib,usr/bin,usr/sbin,usr/lib}
  for name in bin sbin lib; do ln -s "usr/$name" "$root/$name"; done
  for deb in "$work/debs"/*.deb; do dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root" --keep-directory-symlink --no-same-owner; done
  rm -rf "$root"/usr/share/{doc,man,locale,i18n,perl,perl5,info} "$root"/usr/lib/riscv64-linux-gnu/perl*
  install -m 755 "$(cache_path busybox)/busybox" "$root/bench/busybox"
  while read -r name; do
    [ -e "$root/usr/bin/$name" ] || [ -e "$root/usr/sbin/$name" ] || ln -s /bench/busybox "$root/usr/bin/$name"
  done <"$(cache_path busybox)/applets.txt"
}

postgres_accounts() {
  local root=$1
  ln -sf /bench/busybox "$root/usr/bin/su" # Debian's asks PAM
  printf 'root:x:0:0:root:/root:/bin/sh\npostgres:x:100:100:postgres:/tmp:/bin/sh\n' >"$root/etc/passwd"
  printf 'root:x:0:\npostgres:x:100:\n' >"$root/etc/group"
}

guest_disk() {
  local root=$1 disk=$2 size=$3
  need_programs mke2fs
  rm -f "$disk"
  truncate -s "$size" "$disk"
  mke2fs -q -F -t ext4 -m 0 -E lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0 -d "$root" "$disk"
}
