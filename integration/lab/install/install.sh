#!/bin/sh
# Installs what `make test` and `make demo` need on Debian or Ubuntu to run
# several Docker hosts on this machine: programs only, no service has to run.
# Says what it will do before it does it; says nothing if nothing is missing.
set -eu
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

has() { command -v "$1" >/dev/null 2>&1; }

say() { printf 'install: %s\n' "$*"; }

fail() {
	printf 'install: %s\n' "$*" >&2
	exit 1
}

# need PACKAGE PROGRAM... adds the package to $missing if a program is not there.
need() {
	package=$1
	shift
	for program in "$@"; do
		has "$program" && continue
		missing="$missing $package"
		return
	done
}

cgroups_mounted() { grep -Eq '^[^ ]+ [^ ]+ cgroup2? ' /proc/mounts; }

# mount_cgroups does what Debian's cgroupfs-mount does: one hierarchy for each
# controller of version 1, or version 2 where the kernel has no other.
mount_cgroups() {
	mount -t tmpfs -o mode=0755 cgroup /sys/fs/cgroup
	for controller in $(awk '!/^#/ && $4 == 1 { print $1 }' /proc/cgroups); do
		mkdir -p "/sys/fs/cgroup/$controller"
		mount -t cgroup -o "$controller" cgroup "/sys/fs/cgroup/$controller" 2>/dev/null ||
			rmdir "/sys/fs/cgroup/$controller"
	done
	cgroups_mounted && return
	umount /sys/fs/cgroup
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
}

[ "$(id -u)" -eq 0 ] || fail "run this as root: it installs packages, and the Docker hosts need root too"

missing=
need docker.io dockerd containerd runc
has docker-init || need tini tini
need iproute2 ip
need iptables iptables
need nftables nft
need util-linux nsenter unshare
need mount mount
need procps ps pgrep
need curl curl
need docker-registry docker-registry
[ -s /etc/ssl/certs/ca-certificates.crt ] || missing="$missing ca-certificates"

if [ -n "$missing" ]; then
	has apt-get || fail "these programs are missing, install them and run this again:$missing (names of Debian packages)"
	say "will install with apt-get:$missing"
fi
cgroups_mounted || say "will mount the control groups at /sys/fs/cgroup, where none are mounted"

if [ -n "$missing" ]; then
	export DEBIAN_FRONTEND=noninteractive
	apt-get update
	# shellcheck disable=SC2086 # a list of package names
	RUNLEVEL=1 apt-get install -y --no-install-recommends $missing
	case "$missing" in
	*docker-registry*) systemctl disable --now docker-registry >/dev/null 2>&1 || true ;;
	esac
fi
if ! cgroups_mounted; then
	mount_cgroups || fail "the control groups could not be mounted: a Docker engine cannot run here"
fi
