/* A file gets a name that no other one has. */
#pragma once

/** renameat2(2) with RENAME_NOREPLACE: 0 or -errno. -EEXIST: there is a file of that name, which stays;
 * -EINVAL: the file system cannot (NFS). */
int rename_new(const char *from, const char *to);
