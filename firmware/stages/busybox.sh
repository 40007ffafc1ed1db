# busybox: the static riscv64 program of Debian's busybox-static, and the list of its applets.

busybox_inputs() {
  cat "$firmware_dir/stages/busybox.sh" "$firmware_dir/lib/private-apt.sh"
  grep '^busybox_' "$firmware_dir/versions.lock"
}

busybox_build() {
  local out=$1 work=$2 suite version file sum apt
  need_programs apt-get dpkg-deb qemu-riscv64-static
  suite=$(lock_value busybox_suite)
  apt=$(cache_root)/apt/$suite-riscv64
  private_apt_prepare "$apt" "$suite" riscv64
  read -r version file < <(private_apt_download "$apt" busybox-static "$work")
  sum=$(sha256_of "$file")
  if [ "$version" = "$(lock_value busybox_version)" ]; then
    [ "$sum" = "$(lock_value busybox_deb_sha256)" ] || fail "busybox-static $version: SHA-256 $sum is not the pinned one"
  else
    say "note: the mirror offers busybox-static $version, not the pinned $(lock_value busybox_version)"
  fi
  rm -rf "$work/tree"
  dpkg-deb -x "$file" "$work/tree"
  cp "$(find "$work/tree" -type f -path '*bin/busybox')" "$out/busybox"
  chmod 755 "$out/busybox"
  qemu-riscv64-static "$out/busybox" --list | LC_ALL=C sort >"$out/applets.txt"
  printf 'busybox-static %s riscv64 sha256 %s\n' "$version" "$sum" >"$out/package.txt"
}
