# A guest's root file system of Debian's riscv64 packages, with busybox for all they lack. Packages are unpacked, their scripts
# do not run. Sourced after lib/cache.sh, lib/private-apt.sh and the stage busybox.
#
#   debian_tree ROOT WORK PACKAGE...   fills the new folder ROOT; the packages and what they depend on stay in WORK/debs

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
