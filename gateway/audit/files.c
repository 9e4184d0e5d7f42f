/* The journal's folder. Runs in audit alone. */
#include "audit/files.h"

#include "journal/reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int compare_numbers(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

int files_list(int folder, uint64_t **numbers, size_t *count)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    *numbers = NULL;
    *count = 0;
    if (!dir) {
        int r = -errno;
        if (fd >= 0) {
            (void)close(fd);
        }
        return r;
    }
    int r = 0;
    errno = 0;
    for (struct dirent *entry; r == 0 && (entry = readdir(dir)) != NULL; errno = 0) {
        uint64_t number = sk_journal_file_number(entry->d_name);
        if (number) {
            uint64_t *more = reallocarray(*numbers, *count + 1, sizeof(*more));
            if (more) {
                *numbers = more;
                more[(*count)++] = number;
            }
            r = more ? 0 : -ENOMEM;
        }
    }
    r = r ? r : -errno;
    (void)closedir(dir);
    if (*count) {
        qsort(*numbers, *count, sizeof(**numbers), compare_numbers);
    }
    return r;
}

int files_map(int folder, uint64_t number, struct sk_slice *bytes)
{
    char name[40];
    struct stat info = {0};
    sk_journal_file_name(number, name);
    *bytes = SK_SLICE_NULL;
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int r = fd < 0 || fstat(fd, &info) ? -errno : 0;
    if (r == 0 && info.st_size > 0) {
        void *at = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        r = at == MAP_FAILED ? -errno : 0;
        *bytes = r ? SK_SLICE_NULL : sk_slice(at, (size_t)info.st_size);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return r;
}

int files_read_through(int fd, uint64_t from, uint64_t to)
{
    char piece[1 << 16];
    ssize_t n = 1;
    for (; n > 0 && from < to; from += (uint64_t)n) {
        n = pread(fd, piece, to - from < sizeof(piece) ? to - from : sizeof(piece), (off_t)from);
    }
    return n < 0 ? -errno : 0;
}

void files_unmap(struct sk_slice bytes)
{
    if (bytes.data) {
        (void)munmap((void *)(uintptr_t)bytes.data, bytes.len);
    }
}
