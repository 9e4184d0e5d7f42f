/*
 * Any bytes as a tenant's image are refused, or read within them: each message is written as the bytes it was read from. What is filled holds the
 * same messages with the documents in their places, in bounds, and filled again is the same. The input is the messages behind a sound header and
 * policy, or, behind an 'I', all of it.
 */
#include "conf/image.h"

#include "ipc/fetch.h"
#include "policy/source.h"

#include <stdlib.h>

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static struct sk_slice policy(void)
{
    static struct sk_buf image = SK_BUF_INIT(1 << 20);
    const char *hosts[] = {"h"};
    const struct sk_policy_source source = {.open = true, .hosts = hosts, .hosts_count = 1};
    struct sk_policy_error error;
    require(sk_buf_len(&image) || sk_policy_compile(&source, &image, &error) == 0);
    return sk_buf_peek(&image);
}

/* What was fetched, by the id's first byte: nothing yet, keys, a provider's metadata, as much as may be, or more. */
static struct sk_slice find(void *context sk_unused, const uint8_t id[SK_ID_SIZE])
{
    static uint8_t provider[SK_IPC_MESSAGE_MAX], large[SK_FETCH_KEYS_MAX + 1];
    const struct sk_fetch_provider m = {
            .authorization = SK_LIT("https://i/a"), .token = SK_LIT("https://i/t"), .end_session = SK_LIT("https://i/e"), .jwks = SK_LIT("{\"keys\":[]}"), .iss = 1};
    uint8_t sum = 0;
    for (size_t i = 0; i < SK_ID_SIZE; i++) {
        sum ^= id[i]; /* all of it is there */
    }
    switch (sum % 5) {
    case 0:
        return SK_SLICE_NULL;
    case 1:
        return m.jwks;
    case 2: {
        int len = sk_ipc_encode(&sk_fetch_interface, SK_FETCH_PROVIDER, &m, provider, sizeof(provider));
        require(len > 0);
        return sk_slice(provider, (size_t)len);
    }
    default:
        return sk_slice(large, SK_FETCH_KEYS_MAX + (sum % 5 == 4));
    }
}

/* How many messages there are. `image` is open. */
static size_t read_all(struct sk_image image)
{
    static uint8_t again[(size_t)10 << 20];
    union sk_ipc_any message;
    uint16_t code;
    size_t count = 0;
    for (struct sk_slice before = image.rest; sk_image_next(&image.rest, &message, &code) == 0; before = image.rest, count++) {
        int len = sk_ipc_encode(&sk_tenant_interface, code, &message, again, sizeof(again));
        require(len > 0 && before.len - image.rest.len == (size_t)len + 4 && memcmp(again, before.data + 4, (size_t)len) == 0);
    }
    return count;
}

/* Message by message: what names no source stays as it was. */
static void compare(struct sk_image from, struct sk_image to)
{
    union sk_ipc_any a, b;
    uint16_t code, other;
    for (struct sk_slice x = from.rest, y = to.rest; sk_image_next(&from.rest, &a, &code) == 0; x = from.rest, y = to.rest) {
        bool filled = code == SK_TENANT_ISSUER || code == SK_TENANT_PROVIDER || code == SK_TENANT_CLIENTS;
        require(sk_image_next(&to.rest, &b, &other) == 0 && other == code);
        x = sk_slice_cut(x, x.len - from.rest.len);
        y = sk_slice_cut(y, y.len - to.rest.len);
        require(filled || sk_slice_eq(x, y));
    }
}

static void check(struct sk_slice bytes)
{
    static const struct sk_image_documents documents = {find, NULL};
    struct sk_buf once SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)64 << 20), twice SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)64 << 20);
    struct sk_image image, filled;
    if (sk_image_open(&image, bytes)) {
        require(sk_image_fill(bytes, &documents, &once) < 0);
        return;
    }
    size_t count = read_all(image);
    if (sk_image_fill(bytes, &documents, &once) == 0) {
        require(sk_image_open(&filled, sk_buf_peek(&once)) == 0 && filled.bytes.len == sk_buf_len(&once) && read_all(filled) == count);
        compare(image, filled);
        require(sk_image_fill(sk_buf_peek(&once), &documents, &twice) == 0 && sk_slice_eq(sk_buf_peek(&once), sk_buf_peek(&twice)));
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
    char *bytes = malloc(before + rest.len + 1); /* aligned to 16, and of its length for the sanitizers but for one byte that makes it never empty */
    require(bytes != NULL);
    if (!whole) {
        memcpy(bytes, &header, sizeof(header));
        memcpy(bytes + sizeof(header), rules.data, rules.len);
    }
    if (rest.len) {
        memcpy(bytes + before, rest.data, rest.len);
    }
    check(sk_slice(bytes, before + rest.len));
    free(bytes);
    return 0;
}
