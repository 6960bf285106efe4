#!/usr/bin/env bash
# Installs the languages that the system tests have functions in, and the ways out of a sandbox that
# they try, where apt-get and root allow it.
#
# What cannot be had is said, and its tests are skipped: that fails nothing.
set -euo pipefail

missing=()
want() { # command, Debian package
    command -v "$1" >/dev/null || missing+=("$2")
}

want node nodejs
want npm npm
want ruby ruby
want javac default-jdk-headless
want mvn maven
want go golang-go
want cargo cargo
want curl curl
# Translation of addresses, by the kernel and by a process.
want nft nftables
want iptables iptables
want slirp4netns slirp4netns
want pasta passt
# To build the native part of npm's aws-lambda-ric.
want cmake cmake
want autoreconf autoconf
want libtoolize libtool
want automake automake

[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    printf 'emberbox: without %s some tests of runtimes and networks are skipped\n' "${missing[*]}"
    exit 0
fi
printf 'emberbox: installing %s\n' "${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get install -y --no-install-recommends "${missing[@]}" >/dev/null 2>&1 ||
    { apt-get update >/dev/null 2>&1 &&
        apt-get install -y --no-install-recommends "${missing[@]}" >/dev/null 2>&1; } ||
    printf 'emberbox: they could not be installed; some tests of runtimes and networks are skipped\n'
