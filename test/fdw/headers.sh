#!/bin/bash
# usage: headers.sh CHECKOUT CACHE SUITE VERSION
# Compiles fdw/src against the server headers of another Debian suite; the package is kept in CACHE.
set -euo pipefail
checkout=$1 cache=$2 suite=$3 version=$4
. "$checkout/firmware/lib/private-apt.sh"

folder=$cache/headers/$suite
include=$folder/root/usr/include/postgresql
if [ ! -e "$folder/complete" ]; then
  mkdir -p "$folder/apt" "$folder/deb"
  private_apt_prepare "$folder/apt" "$suite" "$(dpkg --print-architecture)"
  private_apt_download "$folder/apt" "postgresql-server-dev-$version" "$folder/deb" >&2
  dpkg -x "$folder"/deb/postgresql-server-dev-"$version"_*.deb "$folder/root"
  touch "$folder/complete"
fi

cd "$checkout/fdw"
status=0
for file in src/*.c; do
  gcc -std=gnu17 -O2 -fsyntax-only -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare \
    -Wno-missing-field-initializers -Wno-cast-function-type -D_GNU_SOURCE -I. \
    -isystem "$include/$version/server" -isystem "$include/internal" "$file" || status=1
done
exit $status
