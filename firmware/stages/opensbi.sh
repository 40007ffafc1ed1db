# OpenSBI: the M-mode firmware, taken as it is from Debian's package.

opensbi_file=/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin

opensbi_inputs() {
  [ -r "$opensbi_file" ] || fail "$opensbi_file is missing (package opensbi)"
  sha256_of "$opensbi_file"
}

opensbi_build() {
  local out=$1
  cp "$opensbi_file" "$out/fw_dynamic.bin"
  chmod 644 "$out/fw_dynamic.bin"
  dpkg-query -W -f '${Package} ${Version}\n' opensbi >"$out/package.txt"
  [ "$(sha256_of "$out/fw_dynamic.bin")" = "$(lock_value opensbi_fw_dynamic_sha256)" ] ||
    say "note: opensbi differs from the pinned version: $(cat "$out/package.txt")"
}
