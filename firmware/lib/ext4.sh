# ext4 images that depend on their files alone: fixed UUID, hash seed, times, order and owners. No root needed.

ext4_epoch=1767225600 # 2026-01-01 00:00:00 UTC, the time of every file

ext4_inputs() {
  cat "$firmware_dir/lib/ext4.sh" "$firmware_dir/mini/mke2fs.conf"
  mke2fs -V 2>&1
}

# ext4_reproducible ROOT IMAGE SIZE LABEL UUID HASH_SEED WORK: an image of the files below ROOT, all of them root's.
# mke2fs -d keeps the builder's owner and change times; the second pass sets both to fixed values.
ext4_reproducible() {
  local root=$1 image=$2 size=$3 label=$4 uuid=$5 seed=$6 work=$7
  need_programs mke2fs debugfs
  rm -f "$image"
  truncate -s "$size" "$image"
  ext4_tool mke2fs -q -F -t ext4 -U "$uuid" -L "$label" -m 1 \
    -E "hash_seed=$seed,lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0,nodiscard" \
    -J size=32 -d "$root" "$image"
  ext4_inode_commands "$root" | ext4_tool debugfs -w -f - "$image" >"$work/debugfs.log" 2>&1
  ! grep -vE '^debugfs( |:)' "$work/debugfs.log" | grep . >&2 || fail "debugfs reported errors"
}

ext4_tool() {
  MKE2FS_CONFIG=$firmware_dir/mini/mke2fs.conf E2FSPROGS_FAKE_TIME=$ext4_epoch LC_ALL=C TZ=UTC \
    PATH=$PATH:/usr/sbin:/sbin "$@"
}

ext4_inode_commands() {
  local root=$1 path field
  (cd "$root" && find . -printf '/%P\n' | LC_ALL=C sort) | while read -r path; do
    for field in uid gid; do
      printf 'sif "%s" %s 0\n' "$path" "$field"
    done
    for field in atime mtime ctime crtime; do
      printf 'sif "%s" %s @%s\n' "$path" "$field" "$ext4_epoch"
    done
    for field in atime_extra mtime_extra ctime_extra crtime_extra; do
      printf 'sif "%s" %s 0\n' "$path" "$field"
    done
  done
}
