/* Requests to a witness: whatever comes, it answers, and cosigns nothing that the log's key did not sign. */
#include "witness/witness.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t secret[SK_NOTE_KEY] = {2};
    static const char *const logs[] = {"PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"};
    static struct witness witness = {.folder = -1, .name = "witness.test", .logs = logs, .logs_count = 1};
    struct sk_buf out = SK_BUF_INIT(4096);
    witness.key = witness.key ? witness.key : sk_note_key_new(secret);
    char *copy = malloc(size ? size : 1); /* of its length, for the sanitizers */
    if (!copy || !witness.key) {
        abort();
    }
    memcpy(copy, data, size);
    unsigned status = witness_add(&witness, sk_slice(copy, size), &out);
    if (status != 400 && status != 403 && status != 404 && status != 500) {
        abort(); /* nothing can be kept, so nothing may be cosigned */
    }
    sk_buf_free(&out);
    free(copy);
    return 0;
}
