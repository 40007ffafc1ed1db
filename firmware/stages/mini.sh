# The mini root file system, as an 8 GB ext4 image (rootfs) and as an initramfs.
#
# Both hold the same tree: busybox with its applets, firmware/mini/, our own programs, our kernel's
# modules. Same inputs, same bytes: fixed UUID, hash seed, times, order and owners. No root needed:
# all files belong to root in the image because debugfs and cpio are told so.

mini_size=8G
mini_uuid=6c696e75-7873-716c-6d69-6e6900000001
mini_hash_seed=6c696e75-7873-716c-6d69-6e6900000002

mini_inputs() {
  cat "$firmware_dir/stages/mini.sh"
  (cd "$firmware_dir/mini" && find . -type f -perm -u+x | LC_ALL=C sort &&
    find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
  cat "$(cache_path busybox)/SHA256SUMS" "$(cache_path agent)/SHA256SUMS" "$(cache_path kernel)/SHA256SUMS"
}

rootfs_inputs() {
  mini_inputs
  ext4_inputs
}

initramfs_inputs() { mini_inputs; }

# Lays the tree out in a folder. Directories that are only mount points are made here too.
mini_tree() {
  local root=$1 applet modules
  (
    umask 022
    mkdir -p "$root"/{dev,proc,sys,run,tmp,root,mnt,usr/bin,usr/lib,var/log,etc}
    ln -s usr/bin "$root/bin"
    ln -s usr/bin "$root/sbin"
    ln -s bin "$root/usr/sbin"
    ln -s usr/lib "$root/lib"
    install -m 755 "$(cache_path busybox)/busybox" "$root/usr/bin/busybox"
    while read -r applet; do
      ln -s busybox "$root/usr/bin/$applet"
    done < <(grep -vx busybox "$(cache_path busybox)/applets.txt")
    install -m 755 "$(cache_path agent)"/{postgres_agent,truth_subject} "$firmware_dir"/mini/sbin/* "$root/usr/bin"
    cp -R "$firmware_dir/mini/etc/." "$root/etc"
    find "$root/etc" -type f -exec chmod u=rwX,go=rX {} +
    modules=$root/usr/lib/modules/$(cat "$(cache_path kernel)/release")
    mkdir -p "$modules"
    install -m 644 "$(cache_path kernel)"/modules/*.ko "$modules"
    ln -s sbin/init "$root/init"
    chmod 1777 "$root/tmp"
    chmod 700 "$root/root"
  )
  find "$root" -exec touch -h -d "@$ext4_epoch" {} +
}

rootfs_build() {
  local out=$1 work=$2
  rm -rf "$work/root"
  mini_tree "$work/root"
  ext4_reproducible "$work/root" "$work/mini.ext4" "$mini_size" linuxsql "$mini_uuid" "$mini_hash_seed" "$work"
  cp --sparse=always "$work/mini.ext4" "$out/mini.ext4"
}

initramfs_build() {
  local out=$1 work=$2
  need_programs cpio gzip
  rm -rf "$work/root"
  mini_tree "$work/root"
  (cd "$work/root" && find . -print0 | LC_ALL=C sort -z |
    cpio --quiet --null --create --format=newc --reproducible --owner=0:0) | gzip -n -9 >"$out/initramfs.cpio.gz"
}
