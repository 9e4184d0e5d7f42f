/* A chunked body means the same whole and byte by byte, no more is taken than is there, and what is good in a request means
 * the same in a response. */
#include "http/chunked.h"

#include <stdlib.h>

struct result {
    enum sk_chunked_event event;
    size_t used, body;
    uint32_t sum;
};

static struct result decode(struct sk_chunked c, struct sk_slice bytes, size_t step)
{
    struct result r = {.event = SK_CHUNKED_MORE};
    for (size_t end = 0; end < bytes.len && r.event == SK_CHUNKED_MORE;) {
        end = bytes.len - end < step ? bytes.len : end + step;
        for (;;) {
            struct sk_slice data;
            size_t used;
            enum sk_chunked_event event = sk_chunked_next(
                    &c, sk_slice((const char *)bytes.data + r.used, end - r.used), &data, &used);
            if (used > end - r.used) {
                abort();
            }
            r.used += used;
            for (size_t i = 0; event == SK_CHUNKED_DATA && i < data.len; i++, r.body++) {
                r.sum = r.sum * 31 + (uint8_t)data.data[i];
            }
            if (event == SK_CHUNKED_MORE && (used == 0 || r.used == end)) {
                break;
            }
            r.event = event == SK_CHUNKED_DATA ? SK_CHUNKED_MORE : event;
            if (r.event != SK_CHUNKED_MORE) {
                break;
            }
        }
    }
    return r;
}

static bool same(const struct result *a, const struct result *b)
{
    return a->event == b->event && a->body == b->body && a->sum == b->sum && (a->event != SK_CHUNKED_TRAILERS || a->used == b->used);
}

static struct result decode_both_ways(struct sk_chunked c, struct sk_slice bytes)
{
    struct result whole = decode(c, bytes, bytes.len ? bytes.len : 1), slow = decode(c, bytes, 1);
    if (!same(&whole, &slow)) {
        abort();
    }
    return whole;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sk_slice bytes = sk_slice(data, size);
    struct result request = decode_both_ways(SK_CHUNKED_INIT, bytes), response = decode_both_ways(SK_CHUNKED_RESPONSE, bytes);
    if (request.event != SK_CHUNKED_BAD && !same(&request, &response)) {
        abort();
    }
    return 0;
}
