/*
 * The system calls by which the journal reaches the disk, behind one struct so that a test can make the n-th fail.
 * Each returns what the call returns, negative errno on failure.
 */
#pragma once

#include "sekisho/slice.h"

#include <sys/types.h>

struct sk_disk {
    int (*create)(int folder, const char *name, size_t size); /* a new file of that size, all zeros on disk; its descriptor */
    /*
     * All of it, on stable storage when it returns 0; when negative any part of it may be there or come to be. Into a
     * file of `create`, bytes, length and place are multiples of 4096.
     */
    int (*write)(int fd, struct sk_slice bytes, off_t at);
    int (*rename)(int folder, const char *from, const char *to); /* with the folder flushed */
};

extern const struct sk_disk sk_disk_real;
