#!/bin/sh
# Process 1 of a machine of its own: the system of a folder, in namespaces that `unshare` made.
# Arguments: the folder below (lower), one for what changes (upper), one that joins the two (root).
set -eu
lower=$1 upper=$2 root=$3
mount --make-rprivate /
mkdir -p "$upper/data" "$upper/work" "$root"
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$upper/data,workdir=$upper/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
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
# As a system does at its boot, and not in a container: credentials reach services by propagation.
mount --make-rshared /
cd "$root"
exec env -i container=muster-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    chroot "$root" /lib/systemd/systemd --system --unit=multi-user.target --show-status=no
