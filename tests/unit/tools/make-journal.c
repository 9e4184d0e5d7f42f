/* make-journal FOLDER RECORDS: a journal of two tenants by the real writer, in files of 1 MiB; one intent stays open. */
#include "audit/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

static int add(struct sk_writer *writer, unsigned i)
{
    uint8_t request[SK_ID_SIZE] = {(uint8_t)(i >> 8), (uint8_t)i, 1};
    struct sk_audit_record record = {.op = SK_AUDIT_REQUEST,
            .stage = i == 0 ? SK_AUDIT_STAGE_INTENT : SK_AUDIT_STAGE_SINGLE,
            .decision = SK_AUDIT_DECISION_ALLOW,
            .subject = SK_LIT("hanako"),
            .method = SK_LIT("GET"),
            .path = SK_LIT("/a/path/of/some/length/to/fill/the/file"),
            .request = sk_slice(request, sizeof(request)),
            .status = 200};
    record.tenant[0] = (uint8_t)(1 + i % 2);
    return sk_writer_add(writer, &record, 0);
}

int main(int argc, char **argv)
{
    struct sk_writer_settings set = {.disk = &sk_disk_real, .file_size = 1U << 20};
    struct sk_writer_found found;
    struct sk_writer *writer = NULL;
    uint64_t count = 0;
    if (argc != 3 || sk_slice_u64(sk_slice_str(argv[2]), 1000000, &count)) {
        return 2;
    }
    set.folder = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = set.folder < 0 ? -errno : sk_writer_open(&set, &writer, &found);
    for (unsigned i = 0; r == 0 && i < count; i++) {
        r = add(writer, i);
        r = r ? r : i % 16 == 15 ? sk_writer_commit(writer) : 0;
    }
    r = r ? r : sk_writer_commit(writer);
    (void)sk_writer_free(writer);
    if (r) {
        (void)fprintf(stderr, "make-journal: %d\n", r);
    }
    return r != 0;
}
