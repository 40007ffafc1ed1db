#!/bin/bash
# A real Multicorn to test the Python class against: PostgreSQL 13 with Multicorn in a Debian 11 tree.
#
#   chroot.sh build                        makes the tree once (cached), prints its folder
#   chroot.sh start SHARE [SERVICE_FOLDER] starts a cluster kept in SHARE/data, prints a connection string
#   chroot.sh stop SHARE                   stops it
#   chroot.sh run SHARE COMMAND…           runs a command inside, as `start` does
#
# SHARE is a folder of an unprivileged user: it appears as /srv inside, PostgreSQL runs as its owner and puts
# its socket there (no TCP). SERVICE_FOLDER, which holds the introspection service's socket, appears as
# /run/linuxsql. This folder appears as /opt/multicorn and is Python's search path.
#
# Started by root it enters a mount namespace and the chroot, then becomes SHARE's owner. Started by SHARE's
# owner it does the same in a user namespace; where the system forbids those, only root can run it.
# Building needs no root and runs none of the packages' scripts.

set -euo pipefail
multicorn_dir=$(cd "$(dirname "$0")" && pwd)
firmware_dir=$(cd "$multicorn_dir/../../firmware" && pwd)
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
umask 022

. "$firmware_dir/lib/cache.sh"
. "$firmware_dir/lib/private-apt.sh"

multicorn_packages=postgresql-13,postgresql-13-python3-multicorn,libc-bin,coreutils,dash
postgres_bin=/usr/lib/postgresql/13/bin
port=5432

multicorn_inputs() {
  declare -f multicorn_build
  printf '%s\n' "$multicorn_packages"
  grep '^multicorn_' "$firmware_dir/versions.lock"
}

# The packages are unpacked and not configured: programs and libraries work as they lie.
multicorn_build() {
  local out=$1 work=$2 mode=chrootless
  need_programs mmdebstrap unshare chroot
  [ "$(id -u)" -ne 0 ] || mode=root
  rm -rf "$work/root"
  { apt-config dump | grep -E '^Acquire::(http|https|Retries|ForceIPv|Check-)' || true; } >"$work/apt.conf"
  TMPDIR=$work mmdebstrap --quiet --mode="$mode" --variant=extract --format=directory --aptopt="$work/apt.conf" \
    --keyring="$DEBIAN_KEYRING" --include="$multicorn_packages" \
    "$(lock_value multicorn_suite)" "$work/root" "$(private_apt_mirror)" >"$work/mmdebstrap.log" 2>&1 ||
    { tail -n 15 "$work/mmdebstrap.log" >&2; fail 'mmdebstrap failed'; }
  rm -rf "$work/root"/usr/share/{doc,man,locale,info} "$work/root/dev"
  mkdir -p "$work/root"/{dev,proc,srv,tmp,etc,run/linuxsql,opt/multicorn}
  : >"$work/root/etc/passwd"
  mv "$work/root" "$out/root"
}

# Runs "$@" inside with SHARE at /srv. The mounts live and die with the namespace.
enter() {
  local share=$1 service=$2 owner tree namespace drop=()
  shift 2
  tree=$(cache_path multicorn)/root
  owner=$(stat -c '%u' "$share")
  [ "$owner" -ne 0 ] || fail "$share belongs to root: PostgreSQL needs a folder of an unprivileged user"
  if [ "$(id -u)" -eq 0 ]; then
    namespace=(unshare --mount)
    drop=("--userspec=$owner:$(stat -c '%g' "$share")" --groups=)
  else
    [ "$(id -u)" -eq "$owner" ] || fail "$share belongs to another user"
    namespace=(unshare --user --keep-caps "--map-user=$owner" "--map-group=$(id -g)" --mount)
    "${namespace[@]}" true 2>/dev/null || fail 'user namespaces are not allowed here: only root can run the chroot'
  fi
  printf 'linuxsql:x:%s:%s::/srv:/bin/sh\n' "$owner" "$(stat -c '%g' "$share")" >"$share/passwd"
  "${namespace[@]}" bash -euc '
    tree=$1 share=$2 service=$3 python=$4; shift 4
    mount --make-rprivate / 2>/dev/null || true
    mount --rbind /dev "$tree/dev"
    mount --bind "$share" "$tree/srv"
    mount --bind "$share" "$tree/tmp"
    mount --bind "$share/passwd" "$tree/etc/passwd"
    mount --bind "$python" "$tree/opt/multicorn"
    [ -z "$service" ] || mount --bind "$service" "$tree/run/linuxsql"
    exec "$@"' enter "$tree" "$share" "$service" "$multicorn_dir" \
    chroot "${drop[@]}" "$tree" /usr/bin/env -i PATH="$postgres_bin:/usr/bin:/bin" LC_ALL=C.UTF-8 HOME=/srv \
    PYTHONPATH=/opt/multicorn PYTHONDONTWRITEBYTECODE=1 "$@"
}

start() {
  local share=$1 service=${2:-}
  if [ ! -s "$share/data/PG_VERSION" ]; then
    enter "$share" '' initdb -D /srv/data -U linuxsql -E UTF8 --locale=C.UTF-8 -A trust --no-sync >"$share/initdb.log" ||
      { cat "$share/initdb.log" >&2; fail 'initdb failed'; }
  fi
  enter "$share" "$service" pg_ctl -D /srv/data -l /srv/postgres.log -w -t 30 \
    -o "-k /srv -p $port -c listen_addresses= -c fsync=off" start >"$share/start.log" ||
    { cat "$share/start.log" "$share/postgres.log" >&2; fail 'PostgreSQL 13 did not start'; }
  enter "$share" '' psql -qX -h /srv -p "$port" -U linuxsql -d postgres \
    -c 'set client_min_messages = warning' -c 'create extension if not exists multicorn'
  printf 'host=%s port=%s user=linuxsql dbname=postgres\n' "$share" "$port"
}

stop() {
  enter "$1" '' pg_ctl -D /srv/data -m fast -w -t 30 stop >/dev/null
}

main() {
  local command=${1:-} share
  case $command in
    build | start | stop | run) shift ;;
    *) fail "usage: $0 build | start SHARE [SERVICE_FOLDER] | stop SHARE | run SHARE COMMAND…" ;;
  esac
  cache_ensure multicorn
  if [ "$command" = build ]; then
    printf '%s\n' "$(cache_path multicorn)/root"
    return
  fi
  share=$(cd "$1" && pwd)
  shift
  case $command in
    start) start "$share" "$@" ;;
    stop) stop "$share" ;;
    run) enter "$share" '' "$@" ;;
  esac
}

main "$@"
