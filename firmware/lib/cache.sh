# Content-addressed build cache. Sourced by bash scripts that set -euo pipefail.
#
# A product NAME is described by two functions of the script that sources this file:
#   NAME_inputs         prints everything its output depends on (hashed into the key)
#   NAME_build OUT WORK fills the empty folder OUT; WORK survives interruption and is removed on success
# Outputs live in $cache/NAME/<key>/ with a SHA256SUMS file, and appear there whole by one rename.
#
#   cache_ensure NAME   builds NAME if it is not there yet
#   cache_path NAME     prints its folder (whether it exists or not)
#   cache_has NAME      true if it is there
#   cache_sum NAME FILE prints the SHA-256 of one of its files
#
# A lock per product makes concurrent runs wait for one another.

cache_root() {
  local repository
  repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
  printf '%s\n' "${LINUXSQL_CACHE:-$repository/.linuxsql/cache}"
}

say() { printf 'firmware: %s\n' "$*" >&2; }

fail() {
  say "$*"
  exit 1
}

need_programs() {
  local program missing=()
  for program in "$@"; do
    PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null || missing+=("$program")
  done
  [ ${#missing[@]} -eq 0 ] || fail "programs missing: ${missing[*]} (the packages of cli/packages.txt bring them)"
}

sha256_of() { sha256sum "$1" | cut -d' ' -f1; }

lock_value() {
  local value
  value=$(sed -n "s/^$1=//p" "$firmware_dir/versions.lock")
  [ -n "$value" ] || fail "versions.lock has no $1"
  printf '%s\n' "$value"
}

cache_path() {
  local inputs
  inputs=$("${1}_inputs") || return 1
  printf '%s/%s/%s\n' "$(cache_root)" "$1" "$(sha256sum <<<"$inputs" | cut -c1-24)"
}

cache_has() { local path; path=$(cache_path "$1") && [ -f "$path/SHA256SUMS" ]; }

cache_sum() {
  awk -v file="$2" '$2 == file { print $1 }' "$(cache_path "$1")/SHA256SUMS"
}

cache_ensure() {
  local name=$1 path
  path=$(cache_path "$name") || return 1
  [ -f "$path/SHA256SUMS" ] && return 0
  mkdir -p "$(dirname "$path")"
  exec 9>"$(dirname "$path")/lock"
  flock --nonblock 9 || { say "waiting for another run that is building $name"; flock 9; }
  [ -f "$path/SHA256SUMS" ] || cache_build "$name" "$path"
  exec 9>&-
}

# Runs under the product's lock, which its child processes share: should this one be killed alone, the next
# run waits for them to end before it touches their files.
cache_build() {
  local name=$1 path=$2 started=$SECONDS
  local work=$path.work
  rm -rf "$path"
  find "$(dirname "$path")" -mindepth 1 -maxdepth 1 \( -name '*.new' -o -name '*.work' \) \
    ! -path "$work" -exec rm -rf {} + # left by interrupted builds of other inputs
  mkdir -p "$path.new" "$work"
  say "building $name"
  "${name}_build" "$path.new" "$work"
  (cd "$path.new" && find . -type f ! -name SHA256SUMS -printf '%P\0' | LC_ALL=C sort -z |
    python3 "$firmware_dir/lib/sha256_sparse.py" >SHA256SUMS)
  find "$path.new" -type f -exec chmod a-w {} + # images are copied, never run in place
  mv -T "$path.new" "$path"
  rm -rf "$work"
  say "$name done in $((SECONDS - started)) s"
}
