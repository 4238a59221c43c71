#!/bin/sh
# e2fsprogs 1.47.0-2+b2: e2fsck -fn ends with 0 on a file system it has just called wrong.
#
# Guess: 4, "file system errors left uncorrected" (e2fsck(8), EXIT CODE), whenever it prints "Fix? no".
# Seen: a wrong count of free blocks in the superblock alone is printed and answered "no", and the status is 0; with -fy it
#   is repaired, and the status is 1.
# Why it matters: a test that trusts the status of "e2fsck -fn" misses it: look for "Fix?" in what it prints, too.
. "$(dirname "$0")/common.sh"
fetch "e2fsprogs=1.47.0-2+b2"
runs "$tmp/root/sbin/e2fsck"
truncate -s 4M "$tmp/disk"
"$tmp/root/sbin/mke2fs" -q -t ext4 "$tmp/disk"
"$tmp/root/sbin/debugfs" -w -R "set_super_value free_blocks_count 7" "$tmp/disk" 2>/dev/null
check() {
    status=0
    "$tmp/root/sbin/e2fsck" "$1" "$tmp/disk" >"$tmp/said" 2>&1 || status=$?
    echo "$(grep -c "Free blocks count wrong (7, " "$tmp/said") complaint, status $status"
}
expect "e2fsck -fn" "$(check -fn)" "1 complaint, status 0"
expect "e2fsck -fy" "$(check -fy)" "1 complaint, status 1"
