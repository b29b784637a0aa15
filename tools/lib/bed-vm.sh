# SPDX-License-Identifier: LGPL-2.1-or-later
# Bed 2: the same root file system in a virtual machine with the distribution's own kernel.
# Sourced by tools/bed. Kernel, initramfs and base image are cached; a run writes to none of them
# (qemu's snapshot mode), what belongs to one run comes on a second disk.

VM_RECIPE=1
VM_MEMORY=2G
# Enough to mount the root; everything else is loaded by the booted system itself.
VM_MODULES="virtio_pci virtio_blk crc32c_generic crc32c_intel ext4"

fetch_kernel_debian() { # RELEASE TARGET
        local work=$2.apt arch package opts
        arch=$(dpkg --print-architecture)
        mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/etc"
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
                "${BERTH_MIRROR:-http://deb.debian.org/debian} $1 main" >"$work/etc/sources.list"
        : >"$work/status"
        # An apt of its own, so that the host's release and package state do not matter.
        opts=(-qq -o "Dir::State=$work" -o "Dir::State::lists=$work/lists" -o "Dir::State::status=$work/status"
                -o "Dir::Cache=$work" -o "Dir::Cache::archives=$work/archives" -o APT::Sandbox::User=root
                -o "Dir::Etc::sourcelist=$work/etc/sources.list" -o Dir::Etc::sourceparts=- -o Acquire::Retries=5)
        apt-get "${opts[@]}" update >&2 || return 1
        package=$(apt-cache "${opts[@]}" depends --important "linux-image-cloud-$arch" |
                awk '$1 == "Depends:" && $2 ~ /^linux-image-[0-9]/ { print $2; exit }')
        [ -n "$package" ] || { note "no cloud kernel for $1 on $arch"; return 1; }
        ( cd "$work" && apt-get "${opts[@]}" download "$package" >&2 ) || return 1
        dpkg -x "$work"/linux-image-*.deb "$2" || return 1
        rm -rf "$work"
}

fetch_kernel_fedora() { # SUITE TARGET
        local work=$2.rpm rpm
        mkdir -p "$work" "$2"
        ( cd "$work" && dnf --releasever="${1#*-}" --quiet download --arch "$(uname -m)" \
                kernel-core kernel-modules-core kernel-modules >&2 ) || return 1
        for rpm in "$work"/*.rpm; do
                rpm2cpio "$rpm" | ( cd "$2" && cpio -idm --quiet ) || return 1
        done
        # rpm keeps the image below the modules.
        mkdir -p "$2/boot"
        cp "$2"/lib/modules/*/vmlinuz "$2/boot/vmlinuz" || return 1
        rm -rf "$work"
}

make_initramfs() { # MODULE-TREE VERSION ROOT OUT
        local work=$4.d module path name busybox
        rm -rf "$work"
        mkdir -p "$work"/bin "$work"/m "$work"/proc "$work"/sys "$work"/dev "$work"/root
        for busybox in "$3"/usr/bin/busybox "$3"/usr/sbin/busybox; do
                [ -x "$busybox" ] && cp "$busybox" "$work/bin/busybox" && break
        done
        [ -x "$work/bin/busybox" ] || { note "no busybox in $3"; return 1; }
        {
                echo '#!/bin/busybox sh'
                echo 'b=/bin/busybox'
                echo '$b mount -t proc proc /proc; $b mount -t sysfs sysfs /sys; $b mount -t devtmpfs devtmpfs /dev'
                for module in $VM_MODULES; do
                        # Built-in modules print "builtin NAME": nothing to load.
                        /sbin/modprobe -d "$1" -S "$2" --show-depends "$module" 2>/dev/null |
                                awk '$1 == "insmod" { print $2 }'
                done | awk '!seen[$0]++' | while read -r path; do
                        name=$(basename "$path")
                        case "$name" in
                        *.xz) name=${name%.xz}; xz -dc "$path" >"$work/m/$name" ;;
                        *.zst) name=${name%.zst}; zstd -qdc "$path" >"$work/m/$name" ;;
                        *) cp "$path" "$work/m/$name" ;;
                        esac
                        echo "\$b insmod /m/$name"
                done
                echo '$b mount -t ext4 -o rw /dev/vda /root || exec $b sh'
                echo 'exec $b switch_root /root /lib/systemd/systemd systemd.unit=multi-user.target'
        } >"$work/init"
        chmod 755 "$work/init"
        ( cd "$work" && find . | cpio -o -H newc --quiet | gzip -1 ) >"$4" || return 1
        rm -rf "$work"
}

build_vm() { # SUITE ROOT TARGET
        local suite=$1 root=$2 dir=$3 version tree=$3/tree unit
        mkdir -p "$dir/kernel"
        case "$suite" in
        fedora-*|el-*) fetch_kernel_fedora "$suite" "$dir/kernel" ;;
        # Trixie's kernel panics below an emulator with two threads, and dockerd is too slow with one.
        trixie-peers) fetch_kernel_debian bookworm "$dir/kernel" ;;
        *) fetch_kernel_debian "${suite%%-*}" "$dir/kernel" ;;
        esac || return 1
        local modules=$dir/kernel/lib/modules
        [ -d "$modules" ] || modules=$dir/kernel/usr/lib/modules
        version=$(basename "$(echo "$modules"/*)")
        # modprobe -d looks below lib/modules.
        [ -d "$dir/kernel/lib/modules" ] || { mkdir -p "$dir/kernel/lib" && mv "$modules" "$dir/kernel/lib/modules"; }
        /sbin/depmod -b "$dir/kernel" "$version" || return 1
        cp "$(ls "$dir"/kernel/boot/vmlinuz* | head -n 1)" "$dir/vmlinuz" || return 1
        make_initramfs "$dir/kernel" "$version" "$root" "$dir/initrd" || return 1
        # Hard links: the tree costs nothing, but no file of it may be written in place.
        cp -al "$root" "$tree" || return 1
        mkdir -p "$tree/lib/modules"
        mv "$dir/kernel/lib/modules/$version" "$tree/lib/modules/" || return 1
        for unit in systemd-sysctl.service systemd-modules-load.service systemd-binfmt.service \
                dev-hugepages.mount proc-sys-fs-binfmt_misc.automount; do
                rm -f "$tree/etc/systemd/system/$unit"
        done
        rm -f "$tree/etc/hostname"
        echo bed-vm >"$tree/etc/hostname"
        mkfs.ext4 -q -F -m 0 -E lazy_itable_init=1,lazy_journal_init=1 -L bed -d "$tree" "$dir/root.img" 6G >/dev/null ||
                return 1
        rm -rf "$tree" "$dir/kernel"
}

# Kernel, initramfs and base image of a suite; prints their directory.
ensure_vm() { # SUITE
        local suite=$1 root dir tmp old
        command -v qemu-system-"$(uname -m)" >/dev/null || die "qemu-system-$(uname -m) is missing (run tools/deps)"
        [ "$suite" = host ] && { suite=$(host_suite) || return 1; }
        root=$(ensure_root "$suite") || return 1
        dir=$BERTH_CACHE/vm/$(basename "$root")-$VM_RECIPE
        mkdir -p "$BERTH_CACHE/vm"
        if [ ! -e "$dir/.complete" ]; then
                (
                        flock 9
                        [ -e "$dir/.complete" ] && exit 0
                        note "building the virtual machine of $suite (about 30 s, once) ..."
                        rm -rf "$BERTH_CACHE/vm/$suite"-*.tmp.*
                        tmp=$dir.tmp.$$
                        mkdir -p "$tmp"
                        build_vm "$suite" "$root" "$tmp" || { rm -rf "$tmp"; exit 1; }
                        : >"$tmp/.complete"
                        rm -rf "$dir"
                        mv "$tmp" "$dir"
                        for old in "$BERTH_CACHE/vm/$suite"-????????????-*; do
                                [ "$old" != "$dir" ] && rm -rf "$old"
                        done
                        exit 0
                ) 9>"$BERTH_CACHE/vm/.lock-$suite" || die "building the virtual machine of $suite failed"
        fi
        echo "$dir"
}

# KVM that is there may still be without hardware support behind it.
vm_accel() {
        if [ -w /dev/kvm ] && grep -qwE 'vmx|svm' /proc/cpuinfo; then
                echo "-accel kvm -cpu host"
        else
                echo "-accel tcg,thread=multi -cpu max"
        fi
}

cmd_vm_prepare() {
        local suite=
        while [ $# -gt 0 ]; do
                case "$1" in
                --suite) suite=${2:?--suite needs a value}; shift 2 ;;
                *) die "unknown option '$1'" ;;
                esac
        done
        ensure_vm "${suite:-$(default_suite)}"
}

cmd_vm_run() {
        local suite= with= share= kernel= script= limit=600 vm work kb r
        while [ $# -gt 0 ]; do
                case "$1" in
                --suite) suite=${2:?--suite needs a value}; shift 2 ;;
                --with) with=${2:?--with needs a directory}; shift 2 ;;
                --share) share=${2:?--share needs a directory}; shift 2 ;;
                --timeout) limit=${2:?--timeout needs seconds}; shift 2 ;;
                --kernel) kernel=${2:?--kernel needs parameters}; shift 2 ;;
                -*) die "unknown option '$1'" ;;
                *) [ -z "$script" ] || die "one script only"; script=$1; shift ;;
                esac
        done
        [ -n "$script" ] && [ -r "$script" ] || die "usage: bed vm-run [OPTIONS] SCRIPT"
        vm=$(ensure_vm "${suite:-$(default_suite)}") || exit 125
        work=$(mktemp -d "$BERTH_CACHE/vm/run.XXXXXX") || exit 125
        trap "rm -rf '$work'" EXIT
        mkdir "$work/data"
        cp "$script" "$work/data/script"
        chmod 755 "$work/data/script"
        [ -n "$share" ] && cp -a "$share" "$work/data/share"
        [ -n "$with" ] && cp -a "$with" "$work/data/dest"
        cat >"$work/data/start" <<SCRIPT
if [ -d /mnt/bed/dest ]; then
        tar -C /mnt/bed/dest -c . | tar -C / -x --keep-directory-symlink --no-overwrite-dir --no-same-owner || exit 125
fi
cd /root
env -i HOME=/root USER=root PATH=$BED_PATH LANG=C.UTF-8 TERM=dumb BED=vm BED_KIND=vm \\
        DOCKER_HOST=unix:///run/berth/berth.sock DOCKER_BUILDKIT=0 /mnt/bed/script
SCRIPT
        kb=$(du -sk --apparent-size "$work/data" | cut -f1)
        mkfs.ext4 -q -F -m 0 -E lazy_itable_init=1 -d "$work/data" "$work/data.img" \
                $((kb + kb / 4 + 65536))k >/dev/null || die "cannot make the second disk"
        rm -rf "$work/data"
        : >"$work/rc"
        timeout --foreground "$limit" qemu-system-"$(uname -m)" $(vm_accel) -smp 2 -m $VM_MEMORY \
                -kernel "$vm/vmlinuz" -initrd "$vm/initrd" \
                -append "console=ttyS0 mitigations=off quiet panic=-1 systemd.show_status=0 $kernel" \
                -drive "file=$vm/root.img,if=virtio,format=raw,snapshot=on" \
                -drive "file=$work/data.img,if=virtio,format=raw,cache=unsafe" \
                -display none -monitor none -no-reboot -nic none \
                -serial "file:$work/console" -serial stdio -serial "file:$work/rc" </dev/null
        r=$?
        if ! [ -s "$work/rc" ]; then
                note "the virtual machine ended without a result (qemu: $r$([ $r -eq 124 ] && echo ", time-out of $limit s")); its console:"
                tail -n 40 "$work/console" >&2
                return 125
        fi
        return "$(tr -dc 0-9 <"$work/rc")"
}
