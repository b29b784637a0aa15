# SPDX-License-Identifier: LGPL-2.1-or-later
# Root file systems for the test beds: built once, cached outside the tree, never written to again.
# Sourced by tools/bed. Needs: BERTH_CACHE, die, note.

# Raise this when the recipe below changes in a way the package list does not show.
ROOT_RECIPE=4

# What is in every root: systemd and what berth, its tests and its peers need at run time.
PACKAGES_DEBIAN_ALL="systemd systemd-sysv libpam-systemd dbus polkitd iproute2 nftables procps util-linux kmod
        busybox-static python3 strace curl ca-certificates crun less psmisc passwd e2fsprogs
        libjson-c5 libmnl0 libnftnl11 libseccomp2 libcap2 libzstd1 liblzma5 zlib1g libacl1
        criu uidmap apparmor"
PACKAGES_BOOKWORM="libarchive13 libcurl4 libssl3 iptables secilc"
PACKAGES_TRIXIE="libarchive13t64 libcurl4t64 libssl3t64 docker-cli"
PACKAGES_PEERS="docker.io podman crun containerd runc netavark aardvark-dns passt iptables
        catatonit tini hyperfine"
PACKAGES_FEDORA="systemd systemd-udev dbus-broker polkit iproute nftables procps-ng util-linux kmod
        busybox python3 strace curl crun less psmisc passwd shadow-utils e2fsprogs glibc-minimal-langpack
        json-c libmnl libnftnl libseccomp libcap libzstd libarchive libcurl openssl-libs criu"

# Units that would act on the host's kernel or only cost time in a bed.
MASKED_UNITS="systemd-sysctl.service systemd-modules-load.service systemd-binfmt.service
        proc-sys-fs-binfmt_misc.automount systemd-random-seed.service systemd-remount-fs.service
        systemd-firstboot.service systemd-udevd.service systemd-udevd-kernel.socket systemd-udevd-control.socket
        systemd-udev-trigger.service systemd-hwdb-update.service console-getty.service getty.target
        getty@tty1.service systemd-networkd.service systemd-networkd.socket systemd-resolved.service
        systemd-timesyncd.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer
        e2scrub_all.timer e2scrub_reap.service fstrim.timer dnf-makecache.timer
        dev-hugepages.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount sys-fs-fuse-connections.mount"

# The suite that `host` stands for: the release this machine itself runs.
host_suite() {
        local id codename version
        id=$(. /etc/os-release && echo "$ID")
        codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
        version=$(. /etc/os-release && echo "${VERSION_ID:-}")
        case "$id" in
        debian) echo "$codename" ;;
        fedora) echo "fedora-$version" ;;
        rhel|centos|almalinux|rocky) echo "el-${version%%.*}" ;;
        *) die "no root file system recipe for host distribution '$id' (use --suite bookworm or trixie)" ;;
        esac
}

suite_packages() {
        case "$1" in
        bookworm) echo $PACKAGES_DEBIAN_ALL $PACKAGES_BOOKWORM ;;
        trixie) echo $PACKAGES_DEBIAN_ALL $PACKAGES_TRIXIE ;;
        trixie-peers) echo $PACKAGES_DEBIAN_ALL $PACKAGES_TRIXIE $PACKAGES_PEERS ;;
        fedora-*|el-*) echo $PACKAGES_FEDORA ;;
        *) die "unknown suite '$1' (bookworm, trixie, trixie-peers, host)" ;;
        esac
}

# Directory a suite's root has or will have; the name changes with the package list.
root_dir() {
        local packages hash
        packages=$(suite_packages "$1") || return 1
        hash=$(printf '%s\n' "$ROOT_RECIPE $1 $packages $MASKED_UNITS" | sha256sum | cut -c1-12)
        echo "$BERTH_CACHE/roots/$1-$hash"
}

build_root_debian() { # SUITE TARGET PACKAGES
        local release=${1%%-*}
        command -v mmdebstrap >/dev/null || die "mmdebstrap is missing (run tools/deps)"
        # Documentation is of no use in a bed and a third of the files.
        mmdebstrap --mode=root --variant=minbase --quiet \
                --include="$(echo $3 | tr ' ' ',')" \
                --aptopt='Apt::Install-Recommends "false"' \
                --aptopt='Acquire::Retries "5"' \
                --dpkgopt='path-exclude=/usr/share/man/*' \
                --dpkgopt='path-exclude=/usr/share/doc/*' \
                --dpkgopt='path-exclude=/usr/share/locale/*' \
                "$release" "$2" ${BERTH_MIRROR:+"$BERTH_MIRROR"} </dev/null >&2
        rm -rf "$2"/var/lib/apt/lists/* "$2"/var/cache/apt/*.bin
}

build_root_fedora() { # SUITE TARGET PACKAGES
        command -v dnf >/dev/null || die "dnf is missing: suite '$1' can only be built on such a host"
        mkdir -p "$2"
        dnf --installroot="$2" --releasever="${1#*-}" --setopt=install_weak_deps=False \
                --setopt=tsflags=nodocs --use-host-config --assumeyes --quiet install $3 </dev/null >&2 ||
        dnf --installroot="$2" --releasever="${1#*-}" --setopt=install_weak_deps=False \
                --setopt=tsflags=nodocs --assumeyes --quiet install $3 </dev/null >&2
        rm -rf "$2"/var/cache/dnf "$2"/var/cache/libdnf5
}

# What makes a fresh root usable as a bed: no gettys, no host-wide settings, a unit that says "up".
prepare_root() { # TARGET
        local unit
        mkdir -p "$1/etc/systemd/system/multi-user.target.wants"
        for unit in $MASKED_UNITS; do
                ln -sf /dev/null "$1/etc/systemd/system/$unit"
        done
        for unit in docker.service docker.socket containerd.service podman.socket podman.service \
                podman-restart.service podman-auto-update.service podman-auto-update.timer \
                podman-clean-transient.service netavark-dhcp-proxy.socket netavark-firewalld-reload.service; do
                find "$1/etc/systemd/system" -type l -name "$unit" -delete
        done
        # The bed's first report: one word into a fifo that `bed up` reads.
        cat >"$1/etc/systemd/system/bed-up.service" <<'UNIT'
[Unit]
Description=Tell the host that the bed is up
ConditionPathExists=/run/bed-up

[Service]
Type=exec
ExecStart=/bin/sh -c 'systemctl is-system-running --wait >/run/bed-up'
UNIT
        # The same for the virtual machine: run the script of the second disk.
        cat >"$1/etc/systemd/system/bed-vm.service" <<'UNIT'
[Unit]
Description=Run the script on the second disk
ConditionPathExists=/dev/vdb
After=dbus.service

[Service]
Type=exec
StandardOutput=journal
ExecStart=/bin/sh /usr/local/lib/bed-vm-start
UNIT
        mkdir -p "$1/usr/local/lib"
        cat >"$1/usr/local/lib/bed-vm-start" <<'SCRIPT'
#!/bin/sh
# ttyS1 carries the script's output, ttyS2 its exit code, ttyS0 what the kernel says.
stty -F /dev/ttyS1 raw -echo
systemctl is-system-running --wait >/dev/null
mkdir -p /mnt/bed
mount /dev/vdb /mnt/bed
ip link set lo up
. /mnt/bed/start >/dev/ttyS1 2>&1 </dev/null
echo $? >/dev/ttyS2
sync
systemctl --force --force poweroff
SCRIPT
        ln -sf /etc/systemd/system/bed-up.service "$1/etc/systemd/system/multi-user.target.wants/"
        ln -sf /etc/systemd/system/bed-vm.service "$1/etc/systemd/system/multi-user.target.wants/"
        : >"$1/etc/machine-id"
        printf '127.0.0.1 localhost\n::1 localhost\n' >"$1/etc/hosts"
        : >"$1/etc/fstab"
        rm -f "$1/etc/resolv.conf"
        : >"$1/etc/resolv.conf"
        # A machine has a root password or none; a bed has no door it could open.
        rm -rf "$1"/tmp/* "$1"/run/*
}

root_in_use() { # DIR
        local f
        for f in "$BERTH_CACHE"/beds/*/root.path; do
                [ -e "$f" ] && [ "$(cat "$f")" = "$1" ] && return 0
        done
        return 1
}

# Build the root of a suite if it is not there yet; prints its directory.
ensure_root() { # SUITE
        local suite=$1 dir tmp old packages
        [ "$suite" = host ] && { suite=$(host_suite) || return 1; }
        packages=$(suite_packages "$suite") || return 1
        dir=$(root_dir "$suite") || return 1
        mkdir -p "$BERTH_CACHE/roots"
        if [ ! -e "$dir/.bed-complete" ]; then
                (
                        flock 9
                        [ -e "$dir/.bed-complete" ] && exit 0
                        note "building root file system $suite (about 30 s, once) ..."
                        tmp="$dir.tmp.$$"
                        rm -rf "$BERTH_CACHE/roots/$suite"-*.tmp.*
                        case "$suite" in
                        fedora-*|el-*) build_root_fedora "$suite" "$tmp" "$packages" ;;
                        *) build_root_debian "$suite" "$tmp" "$packages" ;;
                        esac || { rm -rf --one-file-system "$tmp"; exit 1; }
                        prepare_root "$tmp" || exit 1
                        : >"$tmp/.bed-complete"
                        rm -rf "$dir"
                        mv "$tmp" "$dir" || exit 1
                        for old in "$BERTH_CACHE/roots/$suite"-????????????; do
                                [ "$old" != "$dir" ] && ! root_in_use "$old" && rm -rf --one-file-system "$old"
                        done
                        exit 0
                ) 9>"$BERTH_CACHE/roots/.lock-$suite" || die "building the root of $suite failed"
        fi
        echo "$dir"
}
