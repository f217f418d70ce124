#!/bin/bash
# vm_run_test.sh VM-RUN: what every test in the virtual machines leans on. A status that got lost would let any of them
# pass. One kernel is enough: the three share all of this.
set -euo pipefail
vm_run=$1
[ "${JAIL_SKIP_VM:-}" != 1 ] || { echo "JAIL_SKIP_VM=1"; exit 77; }
[ "$(id -u)" = 0 ] || { echo "needs root"; exit 77; }
[ -x /usr/lib/qemu/virtiofsd ] || { echo "no virtual machine here (scripts/setup rig)"; exit 77; }
kernel=6.1
"$(dirname "$vm_run")/fetch" "$kernel" >/dev/null || { echo "kernel $kernel cannot be had"; exit 77; }

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/kept"
cd "$folder"
expect() {  # WHAT WANTED GOT
  [ "$2" = "$3" ] || { echo "vm_run_test: $1: '$3' instead of '$2'"; exit 1; }
}
status_of() { local status=0; "$@" >output 2>errors || status=$?; echo "$status"; }

expect "status of the command" 7 "$(status_of "$vm_run" "$kernel" sh -c 'echo said; exit 7')"
expect "its output" said "$(cat output)"
expect "status of a command that a signal ended" 137 "$(status_of "$vm_run" "$kernel" sh -c 'kill -9 $$')"
expect "status at the time limit" 124 "$(status_of "$vm_run" -t 8 "$kernel" sleep 60)"
expect "status of a machine that panics" 125 "$(status_of "$vm_run" "$kernel" sh -c 'echo c > /proc/sysrq-trigger')"
grep -q 'sysrq triggered crash' errors || {
  echo "vm_run_test: the console of a panic is not shown"
  cat errors
  exit 1
}

as_user=("$vm_run" -u somebody -r "$folder" "$kernel") as_root=("$vm_run" -r "$folder" -w "$folder/kept" "$kernel")
# shellcheck disable=SC2016  # expanded in the guest
expect "an ordinary user's run" 0 "$(status_of "${as_user[@]}" bash -euc '
  test "$(id -un)" = somebody && test "$(id -u)" != 0
  test "$(grep CapEff /proc/self/status | cut -f2)" = 0000000000000000
  test "$(unshare -Urm id -u)" = 0
  mkdir /sys/fs/cgroup/ci/mine && echo 1M > /sys/fs/cgroup/ci/mine/memory.max
  ! touch /etc/mine 2>/dev/null')"
expect "root's writes" 0 "$(status_of "${as_root[@]}" bash -euc '
  echo kept > kept/file; echo lost > lost; echo lost > /etc/jail-vm-run-test
  grep -q landlock /sys/kernel/security/lsm')"
expect "a write below -w" kept "$(cat kept/file)"
[ ! -e lost ] && [ ! -e /etc/jail-vm-run-test ] || { echo "vm_run_test: a write outside -w reached the host"; exit 1; }
