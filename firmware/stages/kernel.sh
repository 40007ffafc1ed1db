# Linux 6.1 of Debian's linux-source-6.1, not patched, built with our kernel.config.
#
# Output: Image, config, release, modules/*.ko. Built without any trace of when, where and by whom:
# the same sources and tools give the same bytes (what is unpacked and the progress shown do not
# count as inputs, so that changing them rebuilds nothing). vmlinux and System.map are not kept: nothing in
# the product may need them.

kernel_source=/usr/src/linux-source-6.1.tar.xz
kernel_make_args=(ARCH=riscv CROSS_COMPILE=riscv64-linux-gnu- LOCALVERSION=
  KBUILD_BUILD_VERSION=1 KBUILD_BUILD_USER=linuxsql KBUILD_BUILD_HOST=linuxsql
  'KBUILD_BUILD_TIMESTAMP=Thu Jan 1 00:00:00 UTC 2026')

kernel_inputs() {
  [ -r "$kernel_source" ] || fail "$kernel_source is missing (package linux-source-6.1)"
  declare -p kernel_make_args
  declare -f kernel_build kernel_configure kernel_make
  cat "$firmware_dir/kernel.config"
  kernel_source_sum
  riscv64-linux-gnu-gcc --version | head -n 1
  riscv64-linux-gnu-ld --version | head -n 1
  pahole --version
}

# Hashing 130 MB at every look would be slow: the sum is remembered for as long as the file is not touched.
kernel_source_sum() {
  local memo now sum
  memo=$(cache_root)/kernel/source-sum
  now=$(stat -c '%s %Y %i' "$kernel_source")
  if [ "$(head -n 1 "$memo" 2>/dev/null)" != "$now" ]; then
    sum=$(sha256_of "$kernel_source")
    mkdir -p "$(dirname "$memo")"
    printf '%s\n%s\n' "$now" "$sum" >"$memo.$$" && mv "$memo.$$" "$memo"
  fi
  tail -n 1 "$memo"
}

kernel_build() {
  local out=$1 work=$2 tree=$2/linux
  need_programs riscv64-linux-gnu-gcc make bc bison flex pahole xz rsync cpio
  kernel_unpack "$work"
  kernel_configure "$tree"
  kernel_compile "$tree" "$work"
  cp "$tree/arch/riscv/boot/Image" "$out/Image"
  chmod 644 "$out/Image"
  cp "$tree/.config" "$out/config"
  cp "$tree/include/config/kernel.release" "$out/release"
  mkdir "$out/modules"
  local module
  while read -r module; do
    riscv64-linux-gnu-strip --strip-debug -o "$out/modules/$(basename "$module")" "$module"
  done < <(find "$tree" -name '*.ko')
}

# The largest folders that this configuration never reads stay packed.
kernel_unpack() {
  local work=$1
  [ -e "$work/unpacked" ] && return 0
  say "kernel: unpacking $(basename "$kernel_source")"
  [ "$(kernel_source_sum)" = "$(lock_value linux_source_sha256)" ] ||
    say "note: linux-source-6.1 differs from the pinned $(lock_value linux_source_version): $(dpkg-query -W -f '${Version}' linux-source-6.1 2>/dev/null || echo unknown)"
  rm -rf "$work/linux"
  mkdir -p "$work/linux"
  tar -xf "$kernel_source" -C "$work/linux" --strip-components=1 --no-wildcards-match-slash \
    --exclude='linux-source-*/arch/arm*/boot' --exclude='linux-source-*/tools/testing' \
    --exclude='linux-source-*/Documentation/*/*' --exclude='linux-source-*/drivers/gpu/drm/amd/include'
  touch "$work/unpacked"
}

kernel_configure() {
  local tree=$1 fragment=$1/../fragment line lost=()
  sed 's/[[:space:]]*#.*//; /^$/d' "$firmware_dir/kernel.config" >"$fragment"
  KCONFIG_ALLCONFIG=$fragment make -s -C "$tree" "${kernel_make_args[@]}" allnoconfig
  while read -r line; do
    grep -qxF -- "$line" "$tree/.config" || lost+=("$line")
  done <"$fragment"
  [ ${#lost[@]} -eq 0 ] || fail "kernel.config options that did not survive: ${lost[*]}"
}

# pahole's threads order types as they finish, so BTF is encoded by one; debug paths are made relative
# since the build id hashes them. Replaces the shell it runs in.
kernel_make() {
  local tree=$1 flags
  flags=$(cd "$tree" && PAHOLE=pahole sh scripts/pahole-flags.sh | sed 's/ *-j\b//')
  exec make -C "$tree" -j"${LINUXSQL_JOBS:-$(nproc)}" "${kernel_make_args[@]}" "PAHOLE_FLAGS=$flags" \
    "KCFLAGS=-ffile-prefix-map=$tree=." "KAFLAGS=-ffile-prefix-map=$tree=." Image modules
}

kernel_compile() {
  local tree=$1 log=$2/build.log maker
  kernel_make "$tree" </dev/null >"$log" 2>&1 &
  maker=$!
  trap "kill -TERM $maker 2>/dev/null; wait; exit 130" INT TERM
  kernel_progress "$maker" "$log"
  if ! wait "$maker"; then
    tail -n 20 "$log" >&2
    fail "kernel build failed, log in $log"
  fi
  trap - INT TERM
}

# Objects of a resumed build count from where it was resumed.
kernel_progress() {
  local maker=$1 log=$2 started=$SECONDS
  while kill -0 "$maker" 2>/dev/null; do
    sleep 2
    say "kernel: $(grep -cE '^  (CC|AS)' "$log") objects of about $kernel_objects, $((SECONDS - started)) s"
  done
}
kernel_objects=860
