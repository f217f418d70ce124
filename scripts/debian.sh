# Sourced, never run: how the other scripts ask Debian for packages.
#
# A machine may have newer suites configured than the release it runs; without a pin, one `apt-get install` then pulls
# half of that suite in. So every install names this machine's own release, its updates and its security suite, and
# nothing else.
# shellcheck shell=bash

export DEBIAN_FRONTEND=noninteractive

say() { echo "${0##*/}: $*" >&2; }

# Runs a command as root: as it is when we are root, by sudo when that asks for no password on a machine without a
# terminal. Status 126 when there is no way.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; return; fi
  command -v sudo >/dev/null || { say "needs root for: $* (run it as root, or install sudo)"; return 126; }
  if [ -t 0 ]; then sudo -- "$@"; else sudo -n -- "$@"; fi
}

# The packages of the arguments that are not installed, one a line.
missing_packages() {
  local package
  for package; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
  done
}

# Installs what is missing of the arguments, from this machine's own release. Nothing missing: nothing happens.
install_packages() {
  local missing VERSION_CODENAME=
  mapfile -t missing < <(missing_packages "$@")
  [ "${#missing[@]}" -gt 0 ] || return 0
  # shellcheck source=/dev/null
  . /etc/os-release
  [ -n "$VERSION_CODENAME" ] && command -v apt-get >/dev/null ||
    { say "this machine has no apt-get; jail needs the counterparts of: ${missing[*]}"; return 1; }
  say "installing from $VERSION_CODENAME: ${missing[*]}"
  as_root apt-get update -qq -o DPkg::Lock::Timeout=300 </dev/null || return
  as_root apt-get install -qq -y --no-install-recommends -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
    -t "/^$VERSION_CODENAME(|-updates|-security)\$/" "${missing[@]}" </dev/null >/dev/null
}

# Unpacks packages of this machine's own release into a folder; the libraries that they need are installed.
unpack_packages() {  # FOLDER PACKAGE...
  local folder=$1 depends package; shift
  mapfile -t depends < <(apt-cache depends --important "$@" | sed -n 's/^ *Depends: *\(lib[^<].*\)/\1/p')
  install_packages "${depends[@]}" || return
  rm -rf "$folder.new" && mkdir -p "$folder.new" || return
  (cd "$folder.new" && apt-get download -qq -o APT::Sandbox::User= "$@") || return
  for package in "$folder.new"/*.deb; do dpkg -x "$package" "$folder.new" && rm -- "$package" || return; done
  mv "$folder.new" "$folder"
}
