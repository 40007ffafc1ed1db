# The Debian guest: PostgreSQL 17, Node and this project, built for the machine it emulates, as an 8 GB ext4 image.
#
#   debian_tree   Debian's riscv64 packages, unpacked; also what the cross compiler links against
#   guest         our own programs for it: linuxsql-vm, linuxsql-net, extension, introspect
#   debian        the image: the tree, the programs, our init, and a cluster made by the guest itself on its first boot
#
# The guest's cluster knows the image it lies in as the base of its own guests: a disk over it shows the image once
# more behind its end (migrations/2026-11-29-0021), so every level boots the same bytes and none is copied.

debian_packages=base-files,base-passwd,bash,dash,coreutils,grep,sed,findutils,util-linux,mount,procps,iproute2,libc-bin
debian_packages+=,hostname,postgresql-17,libpq5,libslirp0,nodejs,libpq-dev,libslirp-dev,postgresql-server-dev-17
debian_size=8G
debian_uuid=6c696e75-7873-716c-6465-620000000001
debian_hash_seed=6c696e75-7873-716c-6465-620000000002
checkout_dir=$(cd "$firmware_dir/.." && pwd)

debian_tree_inputs() {
  declare -f debian_tree_build
  printf '%s\n' "$debian_packages"
  grep '^debian_' "$firmware_dir/versions.lock"
}

# The packages are unpacked and not configured: programs and libraries work as they lie.
debian_tree_build() {
  local out=$1 work=$2 mode=chrootless
  need_programs mmdebstrap
  [ "$(id -u)" -ne 0 ] || mode=root
  rm -rf "$work/root"
  { apt-config dump | grep -E '^Acquire::(http|https|Retries|ForceIPv|Check-)' || true; } >"$work/apt.conf"
  TMPDIR=$work mmdebstrap --quiet --mode="$mode" --variant=extract --format=directory --arch=riscv64 \
    --aptopt="$work/apt.conf" --keyring="$DEBIAN_KEYRING" --include="$debian_packages" \
    "$(lock_value debian_suite)" "$work/root" "$(private_apt_mirror)" >"$work/mmdebstrap.log" 2>&1 ||
    { tail -n 15 "$work/mmdebstrap.log" >&2; fail 'mmdebstrap failed'; }
  rm -rf "$work/root"/usr/share/{doc,man,locale,info,i18n,lintian,perl,bug} "$work/root"/usr/lib/riscv64-linux-gnu/perl \
    "$work/root"/{dev,boot,media,srv,opt} "$work/root"/var/{cache,lib/apt,lib/dpkg,log}
  find "$work/root" -name '*.a' -delete
  tar -C "$work/root" --sort=name --mtime="@$ext4_epoch" --owner=0 --group=0 --numeric-owner -cf "$out/tree.tar" .
}

guest_inputs() {
  declare -f guest_build guest_extension guest_bundle
  cat "$(cache_path debian_tree)/SHA256SUMS"
  grep '^sljit_' "$firmware_dir/versions.lock"
  riscv64-linux-gnu-g++ --version | head -n 1
  (cd "$checkout_dir" && find vm-core fdw/Makefile fdw/linuxsql.control fdw/src fdw/sql fdw/gen introspect/src introspect/native \
    migrations cli/src/image cli/src/guest package-lock.json -type f ! -path 'vm-core/test/*' ! -name '*.o' ! -name '*.so' -print0 |
    LC_ALL=C sort -z | xargs -0 sha256sum)
}

guest_build() {
  local out=$1 work=$2 sljit name
  need_programs riscv64-linux-gnu-gcc riscv64-linux-gnu-g++ qemu-riscv64-static make node
  sljit=$(cache_root)/sljit/$(lock_value sljit_archive_sha256 | cut -c1-16)
  rm -rf "$work"/{sysroot,vm-core,fdw,addon,build}
  mkdir -p "$work/sysroot" "$out/build/introspect" "$out/build/vm-core" "$out/extension"
  tar -xf "$(cache_path debian_tree)/tree.tar" -C "$work/sysroot"
  cp -R "$checkout_dir/vm-core" "$work/vm-core"
  ln -sfn "$firmware_dir" "$work/firmware"
  make --no-print-directory -C "$work/vm-core" -j"${LINUXSQL_JOBS:-$(nproc)}" HOST=riscv64 SYSROOT="$work/sysroot" \
    SLJIT="$sljit" programs >"$work/vm-core.log" 2>&1 || { tail -n 20 "$work/vm-core.log" >&2; fail 'linuxsql-vm did not build'; }
  for name in linuxsql-vm linuxsql-net; do
    riscv64-linux-gnu-strip -o "$out/build/vm-core/$name" "$work/build/vm-core-riscv64-guest/$name"
  done
  make --no-print-directory -C "$checkout_dir/introspect/native" CXX=riscv64-linux-gnu-g++ OUT="$work/addon" >"$work/addon.log" 2>&1 || { tail -n 20 "$work/addon.log" >&2; fail "the addon did not build"; }
  riscv64-linux-gnu-strip -o "$out/build/introspect/introspect.node" "$work/addon/introspect.node"
  guest_extension "$out/extension" "$work"
  guest_bundle introspect/src/main.ts "$out/introspect.mjs"
  guest_bundle cli/src/guest/bake.ts "$out/bake.mjs"
}

# pg_config tells where things lie relative to itself, so the guest's own one knows its way around the sysroot.
guest_extension() {
  local out=$1 work=$2
  mkdir -p "$work/fdw"
  cp -R "$checkout_dir"/fdw/{Makefile,linuxsql.control,src,sql,gen} "$work/fdw"
  find "$work/fdw" -name '*.o' -delete
  printf '#!/bin/sh\nexec qemu-riscv64-static -L "%s" "%s" "$@"\n' "$work/sysroot" \
    "$work/sysroot/usr/lib/postgresql/17/bin/pg_config" >"$work/pg_config"
  chmod +x "$work/pg_config"
  make --no-print-directory -C "$work/fdw" PG_CONFIG="$work/pg_config" CC=riscv64-linux-gnu-gcc with_llvm=no all \
    >"$work/fdw.log" 2>&1 || { tail -n 20 "$work/fdw.log" >&2; fail 'the extension did not build'; }
  riscv64-linux-gnu-strip -o "$out/linuxsql.so" "$work/fdw/linuxsql.so"
  cp "$work/fdw/linuxsql.control" "$work"/fdw/sql/*.sql "$out"
}

# One file a program: a guest inside a guest has better things to do than to look for a hundred modules.
guest_bundle() {
  "$checkout_dir/node_modules/.bin/esbuild" "$checkout_dir/$1" --bundle --platform=node --format=esm --target=node20 \
    --minify-syntax --external:pg-native --log-level=error --outfile="$2" \
    --banner:js='import { createRequire as linuxsqlRequire } from "node:module"; const require = linuxsqlRequire(import.meta.url);'
}

debian_inputs() {
  cat "$firmware_dir/stages/debian.sh"
  (cd "$firmware_dir/debian" && sha256sum *)
  for product in debian_tree guest busybox kernel opensbi; do cat "$(cache_path "$product")/SHA256SUMS"; done
  ext4_inputs
}

debian_build() {
  local out=$1 work=$2 image=$2/debian.ext4
  rm -rf "$work/root"
  debian_root "$work/root"
  ext4_reproducible "$work/root" "$image" "$debian_size" debian "$debian_uuid" "$debian_hash_seed" "$work"
  debian_bake "$image" "$work/console"
  cp --sparse=always "$image" "$out/debian.ext4"
  rm "$image"
}

debian_root() {
  local root=$1 lib=$1/usr/lib/linuxsql guest name
  guest=$(cache_path guest)
  mkdir -p "$root"
  tar -xf "$(cache_path debian_tree)/tree.tar" -C "$root"
  (
    umask 022
    mkdir -p "$root"/{dev,proc,sys,run,tmp,root,mnt,boot,var/log,var/cache,var/lib/postgresql/17} "$lib/applets"
    rm -rf "$root"/usr/include "$root"/usr/lib/postgresql/17/lib/pgxs "$root"/var/run
    ln -s /run "$root/var/run"
    for name in bin sbin lib; do [ -e "$root/$name" ] || ln -s "usr/$name" "$root/$name"; done
    cp -R "$guest/build" "$guest/introspect.mjs" "$guest/bake.mjs" "$lib"
    chmod 755 "$lib"/build/vm-core/* && chmod -R u+w "$lib"
    install -m 644 "$guest"/extension/*.{control,sql} "$root/usr/share/postgresql/17/extension"
    install -m 755 "$guest/extension/linuxsql.so" "$root/usr/lib/postgresql/17/lib"
    install -m 755 "$(cache_path busybox)/busybox" "$lib/busybox"
    while read -r name; do
      [ -e "$root/usr/bin/$name" ] || [ -e "$root/usr/sbin/$name" ] || ln -s ../busybox "$lib/applets/$name"
    done < <(grep -vx busybox "$(cache_path busybox)/applets.txt")
    for name in mount umount su hostname ip mkdir chown chmod; do ln -sf ../busybox "$lib/applets/$name"; done
    ln -sf ../lib/postgresql/17/bin/psql "$root/usr/bin/psql" # Debian's is a script that looks for clusters
    install -m 755 "$firmware_dir"/debian/{init,bake} "$lib"
    install -m 644 "$firmware_dir"/debian/*.{conf,sql} "$lib"
    install -m 644 "$(cache_path kernel)/Image" "$(cache_path opensbi)/fw_dynamic.bin" "$root/boot"
    printf 'root:x:0:0:root:/root:/bin/sh\npostgres:x:100:100:PostgreSQL:/var/lib/postgresql:/bin/sh\n' >"$root/etc/passwd"
    printf 'root:x:0:\ntty:x:5:\npostgres:x:100:\n' >"$root/etc/group"
    chmod 1777 "$root/tmp"
    chmod 700 "$root/root"
  )
  find "$root" -exec touch -h -d "@$ext4_epoch" {} +
}

# The machine itself makes the cluster: its guest's time and randomness depend on the inputs alone.
debian_bake() {
  local image=$1 console=$2
  timeout 1200 "$checkout_dir/build/vm-core/linuxsql-vm" --bios "$(cache_path opensbi)/fw_dynamic.bin" \
    --kernel "$(cache_path kernel)/Image" --memory 1G --disk "$image" --idle jump --console stdio \
    --append 'console=ttyS0 root=/dev/vda rw init=/usr/lib/linuxsql/init linuxsql.bake quiet' </dev/null >"$console" 2>&1 || true
  grep -q '^@baked' "$console" || { tail -n 20 "$console" >&2; fail "the guest could not make its cluster"; }
}
