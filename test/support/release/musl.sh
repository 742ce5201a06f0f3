#!/bin/sh
# Lays the libraries that a program for x64 with musl needs into DIRECTORY, as root of its file system.
#
#   musl.sh PIP DIRECTORY     PIP downloads; Debian, with the package musl, has all that is missing then
#
# Debian has no C++ library for musl: one comes out of a Python package for such systems. Its relocations are in a form
# that musl knows from 1.2.4 on, so an older Debian takes the C library of a newer one.
set -eu
pip=$1 root=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$root/lib" "$root/tmp"

"$pip" download --quiet --retries 6 --no-deps --only-binary=:all: --python-version 3.12 \
  --platform musllinux_1_2_x86_64 --dest "$work" kiwisolver==1.4.7
unzip -q "$work"/*.whl '*.libs/*' -d "$work/wheel"
cp "$work"/wheel/*.libs/libgcc_s-* "$root/lib/"
cp "$work"/wheel/*.libs/libstdc++-* "$root/lib/libstdc++.so.6"

musl=/lib/ld-musl-x86_64.so.1
version=$("$musl" 2>&1 | sed -n 's/^Version //p') || true
if dpkg --compare-versions "$version" lt 1.2.4; then
  apt-get update -qq
  # shellcheck disable=SC2016
  place=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' | head -n 1)
  mkdir -p "$work/lists/partial"
  echo "deb $place trixie main" > "$work/sources.list"
  newer() {
    apt-get -qq -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
      -o Dir::State::Lists="$work/lists" -o Acquire::Languages=none -o APT::Sandbox::User=root "$@"
  }
  newer update
  (cd "$work" && newer download musl && dpkg-deb -x musl_*.deb "$work/musl")
  musl=$work/musl/usr/lib/x86_64-linux-musl/libc.so
fi
cp -L "$musl" "$root/lib/ld-musl-x86_64.so.1"
ln -sf ld-musl-x86_64.so.1 "$root/lib/libc.musl-x86_64.so.1"
