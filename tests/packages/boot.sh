#!/bin/sh
# Process 1 of a machine of its own: the system of a folder, in namespaces that `unshare` made.
# Arguments: the folders below, with colons (lower), one for what changes (upper), one that joins them
# (root), the name of the machine, the UUID of its hardware.
set -eu
lower=$1 upper=$2 root=$3 name=$4 uuid=$5
mount --make-rprivate /
mkdir -p "$upper/data" "$upper/work" "$root"
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$upper/data,workdir=$upper/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
# Hardware of its own: SMBIOS where this kernel shows it, else a device tree as virtual machines have.
if [ -d "$root/sys/class/dmi/id" ]; then
    shown=$root/sys/class/dmi/id file=product_uuid
else
    shown=$root/sys/firmware file=devicetree/base/vm,uuid
fi
mount -t tmpfs -o mode=755 tmpfs "$shown"
mkdir -p "$(dirname "$shown/$file")"
echo "$uuid" >"$shown/$file"
chmod 0400 "$shown/$file"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for node in null zero full random urandom tty; do
    touch "$root/dev/$node"
    mount --bind "/dev/$node" "$root/dev/$node"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
touch "$upper/console" "$root/dev/console"
mount --bind "$upper/console" "$root/dev/console"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/sys/fs/cgroup" 2>/dev/null || true
if [ -d "$root/sys/fs/cgroup" ]; then
    if grep -q '^0::/' /proc/self/cgroup && ! grep -q name=systemd /proc/self/cgroup; then
        mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
    else
        mkdir "$root/sys/fs/cgroup/systemd" "$root/sys/fs/cgroup/unified"
        mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/systemd"
        mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup/unified" || true
    fi
fi
echo "$name" >"$root/etc/hostname"
# As a system does at its boot, and not in a container: credentials reach services by propagation.
mount --make-rshared /
cd "$root"
exec env -i container=muster-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    chroot "$root" /lib/systemd/systemd --system --unit=multi-user.target --show-status=no
