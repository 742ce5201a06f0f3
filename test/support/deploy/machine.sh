#!/usr/bin/env bash
# Boots a systemd of its own, as the first process of namespaces of its own, runs a script in it and ends.
#
#   test/support/deploy/machine.sh ROOM
#
# The machine has this one's files, but what it writes is gone with it; a network with nothing but a
# loopback; and no units but the basic targets and those in ROOM/units, among them script.service, which
# runs ROOM/script. In the machine ROOM is /room, and all that is left behind goes there. Needs root.
set -euo pipefail

readonly SYSTEMD=/lib/systemd/systemd
# What a unit with the default dependencies hangs on.
readonly TARGETS=(sysinit basic multi-user network-online shutdown umount)

# The kernel shows the version 2 hierarchy at one of these places.
hierarchy() {
  local place
  for place in /sys/fs/cgroup/unified /sys/fs/cgroup; do
    if [[ -e $place/cgroup.procs && -e $place/cgroup.controllers ]]; then
      echo "$place"
      return
    fi
  done
  echo 'no cgroup2 file system is mounted' >&2
  return 1
}

outside() {
  group=$(hierarchy)/tracker-deploy-$$
  # Where the machine mounts its root. Not in the room, which is to be seen from inside.
  root=$(mktemp -d)
  trap clean EXIT
  mkdir "$group"
  # In a group of its own, which the machine takes for the root. All of it dies with this script.
  (
    echo "$BASHPID" > "$group/cgroup.procs"
    exec setpriv --pdeathsig KILL \
      unshare --mount --pid --net --ipc --uts --cgroup --fork --kill-child=KILL \
      "$0" inside "$1" "$root"
  )
}

clean() {
  rmdir "$root"
  find "$group" -depth -type d -exec rmdir {} +
}

inside() {
  local room=$1 root=$2 device target
  mount --make-rprivate /
  mount -t tmpfs tmpfs "$root"
  mkdir "$root/upper" "$root/work" "$root/machine"
  mount -t overlay overlay -o "lowerdir=/,upperdir=$root/upper,workdir=$root/work" "$root/machine"
  root=$root/machine
  # Settings of the kernel belong to both machines: this one must not change any.
  mount -t proc proc "$root/proc"
  mount --bind "$root/proc/sys" "$root/proc/sys"
  mount -o remount,ro,bind "$root/proc/sys"
  mount -t sysfs -o ro sysfs "$root/sys"
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
  mount -t tmpfs tmpfs "$root/run"
  mount -t tmpfs tmpfs "$root/tmp"
  mount -t tmpfs tmpfs "$root/var/lib"
  # What is installed and enabled on this machine stays off there.
  mount -t tmpfs tmpfs "$root/etc/systemd/system"
  mount -t tmpfs tmpfs "$root/dev"
  mkdir "$root"/dev/{pts,shm,mqueue,hugepages}
  mount -t devpts devpts -o newinstance,ptmxmode=0666 "$root/dev/pts"
  ln -s pts/ptmx "$root/dev/ptmx"
  ln -s /proc/self/fd "$root/dev/fd"
  for device in null zero full random urandom tty; do cp -a "/dev/$device" "$root/dev/"; done

  mkdir -p "$root/room" "$root/old"
  mount --bind "$room" "$root/room"
  mkdir "$root/run/units"
  cp -r "$room/units/." "$root/run/units/"
  for target in "${TARGETS[@]}"; do
    # Alone, without what they pull in on a whole machine.
    sed '/^\(Requires\|Wants\|After\|Before\)=/d' "/lib/systemd/system/$target.target" \
      > "$root/run/units/$target.target"
  done
  ip link set lo up

  cd "$root"
  pivot_root . old
  umount -l /old
  mount --make-rshared /
  export container=other SYSTEMD_UNIT_PATH=/run/units:/etc/systemd/system
  exec "$SYSTEMD" --system --unit=script.service --log-target=null --show-status=no
}

if [[ $1 == inside ]]; then inside "$2" "$3"; else outside "$1"; fi
