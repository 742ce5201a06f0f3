#!/bin/sh
# Starts the program of an image as a container's engine does: as process 1, the image's root read-only, the
# volumes not, without new privileges, with the environment it is given. The network is this machine's.
#
#   unshare --mount --pid --fork --kill-child run.sh ROOT USER VOLUME... -- WORD...
#
# USER is a number, the group's as well. A VOLUME is DIRECTORY:PATH or DIRECTORY:PATH:ro, PATH within the image.
set -eu
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
root=$1 user=$2
shift 2

mount --make-rprivate /
mount --bind "$root" "$root"
mkdir -p "$root/proc"
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
while [ "$1" != -- ]; do
  volume=${1%:ro}
  mount --bind "${volume%%:*}" "$root${volume#*:}"
  if [ "$volume" != "$1" ]; then mount -o remount,bind,ro "$root${volume#*:}"; fi
  shift
done
shift
exec setpriv --no-new-privs unshare --root="$root" --wd=/var/lib/torrust/tracker \
  --setgid="$user" --setuid="$user" -- "$@"
