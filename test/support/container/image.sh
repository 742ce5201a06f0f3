#!/bin/sh
# Builds the image of the Dockerfile without a registry and mounts it: the builder is made of this machine's
# files, the base is nothing but the C library.
#
#   image.sh STORAGE BUN CACHE     prints where the image's files are; STORAGE/image.json says what it is
#
# STORAGE is a directory that may be removed as a whole afterwards. BUN is the executable that compiles, CACHE
# its cache, where the packages are.
set -eu
storage=$1 bun=$2 cache=$3
project=$(cd "$(dirname "$0")/../../.." && pwd)

builder() { buildah --root "$storage/root" --runroot "$storage/run" --storage-driver vfs "$@"; }

files=$storage/builder
mkdir -p "$files/bin" "$files/usr/bin" "$files/root"
mkdir -m 1777 "$files/tmp"
cp -L "$bun" "$files/usr/bin/bun"
for name in bash cp grep ldd mkdir; do cp -L "$(command -v "$name")" "$files/bin/"; done
ln -s bash "$files/bin/sh"
ldd "$files"/bin/cp "$files"/bin/bash "$files"/bin/grep "$files"/usr/bin/bun |
  grep -o '/lib[^ ]*' | sort -u | while read -r library; do cp -L --parents "$library" "$files/"; done
printf 'FROM scratch\nCOPY . /\nENV PATH=/usr/bin:/bin BUN_INSTALL_CACHE_DIR=/cache\n' > "$storage/Builder"

{
  builder build --isolation chroot -f "$storage/Builder" -t builder "$files"
  builder build --isolation chroot --format docker --volume "$cache:/cache:ro" \
    --build-arg BUILDER=localhost/builder --build-arg BASE=libraries -t tracker "$project"
  container=$(builder from localhost/tracker)
} >&2
builder inspect --type image localhost/tracker > "$storage/image.json"
builder mount "$container"
