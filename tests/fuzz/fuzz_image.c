/* Any bytes as a tenant's image are refused, or read to an end within them. The input is the messages behind a sound header and policy, or, behind an 'I', all of it. */
#include "conf/image.h"

#include "policy/source.h"

#include <stdlib.h>

static struct sk_slice policy(void)
{
    static struct sk_buf image = SK_BUF_INIT(1 << 20);
    const char *hosts[] = {"h"};
    const struct sk_policy_source source = {.open = true, .hosts = hosts, .hosts_count = 1};
    struct sk_policy_error error;
    if (sk_buf_len(&image) == 0 && sk_policy_compile(&source, &image, &error)) {
        abort();
    }
    return sk_buf_peek(&image);
}

static void read_all(struct sk_slice bytes)
{
    struct sk_image image;
    union sk_ipc_any message;
    uint16_t code;
    if (sk_image_open(&image, bytes)) {
        return;
    }
    for (struct sk_slice before = image.rest; sk_image_next(&image.rest, &message, &code) == 0; before = image.rest) {
        if (image.rest.len >= before.len) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sk_slice rules = policy();
    bool whole = size && data[0] == 'I';
    struct sk_slice rest = whole ? sk_slice_from(sk_slice(data, size), 1) : sk_slice(data, size);
    struct sk_image_header header = {.magic = SK_TENANT_IMAGE_MAGIC, .policy = (uint32_t)rules.len};
    size_t before = whole ? 0 : sizeof(header) + rules.len;
    header.size = (uint32_t)(before + rest.len);
    char *bytes = aligned_alloc(8, (before + rest.len + 8) & ~(size_t)7);
    if (!bytes) {
        abort();
    }
    if (!whole) {
        memcpy(bytes, &header, sizeof(header));
        memcpy(bytes + sizeof(header), rules.data, rules.len);
    }
    if (rest.len) {
        memcpy(bytes + before, rest.data, rest.len);
    }
    read_all(sk_slice(bytes, before + rest.len));
    free(bytes);
    return 0;
}
