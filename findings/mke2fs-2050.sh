#!/bin/sh
# e2fsprogs 1.47.0-2+b2: mke2fs -d puts files of 2050 into 1913.
#
# Guess: inodes of 256 bytes, the default, keep times until 2446: the two lowest bits of i_mtime_extra are bits 32 and 33
#   of the seconds (ext4's documentation, "Inode Timestamps").
# Seen: the seconds are cut to 32 bits and the extra bits stay 0, so debugfs, and Linux, read 1913. No warning.
# Why it matters: an image made from a tree with files of the far future has other times than the tree; clamp them to
#   2038 before.
. "$(dirname "$0")/common.sh"
fetch "e2fsprogs=1.47.0-2+b2"
mkdir "$tmp/tree"
touch -d 2050-01-01T00:00:00Z "$tmp/tree/file"
truncate -s 4M "$tmp/disk"
runs "$tmp/root/sbin/mke2fs"
"$tmp/root/sbin/mke2fs" -q -t ext4 -I 256 -d "$tmp/tree" "$tmp/disk"
seen=$(TZ=UTC0 "$tmp/root/sbin/debugfs" -R "stat file" "$tmp/disk" 2>/dev/null | sed -n 's/ *mtime: //p')
expect "mtime of a file of 2050-01-01" "$seen" "0x967a7600:00000000 -- Tue Nov 25 17:31:44 1913"
