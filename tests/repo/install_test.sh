#!/bin/bash
# install_test.sh BUILD VERSION: what `cmake --install` leaves in a new place works there.
set -euo pipefail
build=$1 version=$2
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
fail() { echo "install_test: $*"; exit 1; }

cmake --install "$build" --prefix "$prefix" >/dev/null
units=lib/systemd/system
services="sbin/jaild $units/jaild.socket $units/jaild.service"
for file in bin/jail $services share/doc/jail/README.md share/doc/jail/LICENSE; do
  [ -s "$prefix/$file" ] || fail "$file is not installed"
done
[ -n "$(find "$prefix/share/jail/profiles" -name '*.yaml' -print -quit)" ] || fail "no profile is installed"
said=$(cd / && "$prefix/bin/jail" --version) || fail "the installed jail does not start"
[[ $said == *"$version"* ]] || fail "jail --version says '$said', not $version"
find "$prefix" -perm /6000 | grep . && fail "setuid or setgid files are installed"
[ -z "$(find "$prefix" -type f -perm /022)" ] || fail "others may write what is installed"
started=$(sed -n 's/^ExecStart=//p' "$prefix/$units/jaild.service")
[[ $started == */sbin/jaild ]] || fail "jaild.service starts '$started'"
[[ $("$prefix/sbin/jaild" --version) == *"$version"* ]] || fail "the installed jaild does not start"
echo "install_test: $said"
