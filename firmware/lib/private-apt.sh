# Private apt: packages of another Debian suite or architecture, without touching /etc/apt.
#
#   private_apt_prepare FOLDER SUITE ARCH    makes a configuration, refreshes its lists (at most once a day);
#                                            a fourth argument deb-src makes it one of source packages
#   private_apt_download FOLDER PACKAGE DEST fetches one .deb into DEST and prints "version file"
#   private_apt_mirror                       prints the Debian mirror this machine's own apt uses
#
# Signatures are checked with Debian's keyring package; the mirror and the transport settings
# (proxies, time-outs) are read from the machine's apt. Sourced by bash scripts that set -euo pipefail.

DEBIAN_KEYRING=${DEBIAN_KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg}

# The address comes from the signed lists when they are there, else from the source files as written.
private_apt_mirror() {
  local mirror
  mirror=$(apt-get indextargets --format '$(ORIGIN)|$(COMPONENT)|$(CODENAME)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    awk -F'|' '$1 == "Debian" && $2 == "main" && $3 !~ /-/ { print $4; exit }')
  if [ -z "$mirror" ]; then
    mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
      awk '/^[[:space:]]*#/ { next }
           $1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /:\//) { print $i; break } }
           $1 == "URIs:" { print $2 }' |
      grep -E '/debian/?$' | head -n 1 || true)
  fi
  if [ -z "$mirror" ]; then
    echo "firmware: no Debian mirror found in this machine's apt sources" >&2
    return 1
  fi
  printf '%s\n' "${mirror%/}"
}

# Every apt call goes through here; the machine's hooks (Post-Invoke and the like) stay out.
private_apt() {
  local folder=$1
  shift
  APT_CONFIG="$folder/apt.conf" apt-get "$@"
}

private_apt_prepare() {
  local folder=$1 suite=$2 arch=$3 type=${4:-deb} mirror stamp
  stamp=$folder/updated
  if [ -n "$(find "$stamp" -mmin -1440 2>/dev/null)" ]; then
    return 0
  fi
  [ -r "$DEBIAN_KEYRING" ] || { echo "firmware: $DEBIAN_KEYRING is missing (package debian-archive-keyring)" >&2; return 1; }
  mirror=$(private_apt_mirror)
  mkdir -p "$folder"/{state/lists/partial,cache/archives/partial,parts}
  : >"$folder/status"
  printf '%s [arch=%s signed-by=%s] %s %s main\n' "$type" "$arch" "$DEBIAN_KEYRING" "$mirror" "$suite" >"$folder/sources.list"
  {
    apt-config dump | grep -E '^Acquire::(http|https|ftp|Retries|ForceIPv|Check-)' || true
    cat <<CONF
Dir::State "$folder/state";
Dir::State::status "$folder/status";
Dir::Cache "$folder/cache";
Dir::Etc::sourcelist "$folder/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "$folder/parts";
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Sandbox::User "";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
CONF
  } >"$folder/apt.conf"
  private_apt "$folder" -qq update >&2
  touch "$stamp"
}

private_apt_download() {
  local folder=$1 package=$2 dest=$3 version file
  version=$(APT_CONFIG="$folder/apt.conf" apt-cache show --no-all-versions "$package" | awk '$1 == "Version:" { print $2; exit }')
  [ -n "$version" ] || { echo "firmware: the mirror offers no package $package" >&2; return 1; }
  mkdir -p "$dest"
  (cd "$dest" && rm -f "${package}"_*.deb && private_apt "$folder" -qq download "$package=$version" >&2)
  file=$(find "$dest" -name "${package}_*.deb" | head -n 1)
  printf '%s %s\n' "$version" "$file"
}
