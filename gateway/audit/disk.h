/*
 * The system calls by which the journal reaches the disk, behind one struct so that a test can make the n-th fail.
 * Each returns what the call returns, negative errno on failure.
 */
#pragma once

#include "sekisho/slice.h"

#include <sys/types.h>

struct sk_disk {
    int (*create)(int folder, const char *name, size_t size); /* a new file of that size, all zeros on disk; its descriptor */
    int (*write)(int fd, struct sk_slice bytes, off_t at);    /* all of it, or negative */
    int (*flush)(int fd);                                     /* data on stable storage */
    int (*rename)(int folder, const char *from, const char *to); /* with the folder flushed */
};

extern const struct sk_disk sk_disk_real;
