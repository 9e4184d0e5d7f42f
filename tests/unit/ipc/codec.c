/* gateway/ipc/codec.c: what does not decode exactly, or may not come from that side, is refused. */
#include "sample.h"

#include "ipc/auth.h"
#include "ipc/control.h"
#include "ipc/factor.h"
#include "ipc/fetch.h"
#include "ipc/pam.h"
#include "ipc/reader.h"
#include "ipc/serving.h"
#include "ipc/signer.h"
#include "ipc/store.h"
#include "ipc/tenant.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

static uint8_t wire[SK_IPC_MESSAGE_MAX];

static struct sk_all sample(void)
{
    return (struct sk_all){.first = UINT64_C(0x0102030405060708), .id = {1, [15] = 0xff}, .name = SK_LIT("na\0me"),
            .body = SK_LIT("body"), .last = UINT64_MAX};
}

static struct sk_slice encoded(uint16_t code, const void *message)
{
    int len = sk_ipc_encode(&sk_sample_interface, code, message, wire, sizeof(wire));
    cr_assert_gt(len, 0);
    return sk_slice(wire, (size_t)len);
}

/* From a heap block of exactly its size, so that the sanitizer sees each read beyond. */
static int decode(struct sk_slice bytes, union sk_ipc_any *message, const struct sk_ipc_layout **layout, char **copy)
{
    *copy = malloc(bytes.len ? bytes.len : 1);
    cr_assert_not_null(*copy);
    memcpy(*copy, bytes.data, bytes.len);
    return sk_ipc_decode(&sk_sample_interface, CLIENT, sk_slice(*copy, bytes.len), message, layout);
}

Test(ipc_codec, every_field_makes_the_round_trip)
{
    struct sk_all all = sample();
    union sk_ipc_any any;
    const struct sk_ipc_layout *layout = NULL;
    cr_assert_eq(sk_ipc_decode(&sk_sample_interface, CLIENT, encoded(SK_ALL, &all), &any, &layout), 0);
    const struct sk_all *back = (const void *)&any;
    cr_assert_eq(layout->code, SK_ALL);
    cr_assert_str_eq(layout->name, "all");
    cr_assert_eq(back->first, all.first);
    cr_assert_eq(memcmp(back->id, all.id, SK_ID_SIZE), 0);
    cr_assert(sk_slice_eq(back->name, all.name));
    cr_assert(sk_slice_eq(back->body, all.body));
    cr_assert_eq(back->last, all.last);
}

Test(ipc_codec, the_wire_form_is_as_written_down)
{
    struct sk_note note = {.text = SK_LIT("hi")};
    cr_assert(sk_slice_eq(encoded(SK_NOTE, &note), SK_LIT("\x02\x00\x02\x00\x00\x00hi")));
    struct sk_empty empty;
    cr_assert(sk_slice_eq(encoded(SK_EMPTY, &empty), SK_LIT("\x04\x00")));
    struct sk_all all = sample();
    cr_assert(sk_slice_starts(encoded(SK_ALL, &all), SK_LIT("\x01\x02\x08\x07\x06\x05\x04\x03\x02\x01\x01")));
}

Test(ipc_codec, texts_reach_exactly_to_their_limit)
{
    static char body[60001];
    struct sk_all all = sample();
    all.name = SK_LIT("12345678");
    all.body = sk_slice(body, 60000);
    union sk_ipc_any any;
    const struct sk_ipc_layout *layout;
    cr_assert_eq(sk_ipc_decode(&sk_sample_interface, CLIENT, encoded(SK_ALL, &all), &any, &layout), 0);
    all.name = SK_LIT("123456789");
    cr_assert_eq(sk_ipc_encode(&sk_sample_interface, SK_ALL, &all, wire, sizeof(wire)), -EMSGSIZE);
    all.name = SK_SLICE_NULL;
    all.body = sk_slice(body, 60001);
    cr_assert_eq(sk_ipc_encode(&sk_sample_interface, SK_ALL, &all, wire, sizeof(wire)), -EMSGSIZE);
    all.body = sk_slice(body, SIZE_MAX);
    cr_assert_eq(sk_ipc_encode(&sk_sample_interface, SK_ALL, &all, wire, sizeof(wire)), -EMSGSIZE);
}

Test(ipc_codec, a_message_over_the_whole_limit_is_not_encoded)
{
    static char text[40000];
    struct sk_long message = {.one = sk_slice(text, 40000), .two = sk_slice(text, 40000)};
    cr_assert_eq(sk_ipc_encode(&sk_sample_interface, SK_LONG, &message, wire, sizeof(wire)), -EMSGSIZE);
}

Test(ipc_codec, no_byte_is_written_behind_the_space_given)
{
    struct sk_all all = sample();
    size_t whole = encoded(SK_ALL, &all).len;
    for (size_t size = 0; size <= whole; size++) {
        uint8_t *out = malloc(size ? size : 1);
        cr_assert_not_null(out);
        int len = sk_ipc_encode(&sk_sample_interface, SK_ALL, &all, out, size);
        cr_assert_eq(len, size == whole ? (int)whole : -EMSGSIZE, "%zu", size);
        free(out);
    }
}

Test(ipc_codec, an_unknown_code_is_neither_sent_nor_read)
{
    struct sk_note note = {0};
    union sk_ipc_any any;
    const struct sk_ipc_layout *layout;
    cr_assert_eq(sk_ipc_encode(&sk_sample_interface, 99, &note, wire, sizeof(wire)), -ENOENT);
    cr_assert_eq(sk_ipc_decode(&sk_sample_interface, CLIENT, SK_LIT("\x63\x00"), &any, &layout), 1);
    cr_assert_eq(sk_ipc_decode(&sk_sample_interface, CLIENT, SK_LIT("\x04\x01"), &any, &layout), 1, "both bytes of a code count");
}

Test(ipc_codec, a_message_is_refused_from_the_side_that_may_not_send_it)
{
    struct sk_reply reply = {.text = SK_LIT("x")};
    struct sk_note note = {.text = SK_LIT("x")};
    union sk_ipc_any any;
    const struct sk_ipc_layout *layout;
    struct sk_slice bytes = encoded(SK_REPLY, &reply);
    cr_expect_eq(sk_ipc_decode(&sk_sample_interface, CLIENT, bytes, &any, &layout), 1);
    cr_expect_eq(sk_ipc_decode(&sk_sample_interface, SERVER, bytes, &any, &layout), 0);
    cr_expect_eq(sk_ipc_decode(&sk_sample_interface, 4, bytes, &any, &layout), 1);
    cr_expect_eq(sk_ipc_decode(&sk_sample_interface, 0, bytes, &any, &layout), 1);
    bytes = encoded(SK_NOTE, &note);
    cr_expect_eq(sk_ipc_decode(&sk_sample_interface, CLIENT, bytes, &any, &layout), 0);
    cr_expect_eq(sk_ipc_decode(&sk_sample_interface, SERVER, bytes, &any, &layout), 0);
}

/* The first of two with one code would be what is read for both. */
Test(ipc_codec, no_interface_has_one_code_for_two_messages)
{
    const struct sk_ipc_interface *const all[] = {&sk_auth_interface, &sk_control_interface, &sk_factor_interface,
            &sk_fetch_interface, &sk_pam_interface, &sk_reader_interface, &sk_serving_interface, &sk_signer_interface, &sk_store_interface, &sk_tenant_interface};
    for (size_t n = 0; n < SK_COUNT(all); n++) {
        for (size_t i = 0; i < all[n]->layouts_count; i++) {
            for (size_t k = 0; k < i; k++) {
                cr_expect_neq(all[n]->layouts[i].code, all[n]->layouts[k].code, "%s and %s", all[n]->layouts[i].name, all[n]->layouts[k].name);
            }
        }
    }
}

Test(ipc_codec, every_truncation_is_refused)
{
    struct sk_all all = sample();
    struct sk_slice bytes = encoded(SK_ALL, &all);
    for (size_t len = 0; len < bytes.len; len++) {
        union sk_ipc_any any;
        const struct sk_ipc_layout *layout;
        char *copy;
        cr_assert_eq(decode(sk_slice_cut(bytes, len), &any, &layout, &copy), 1, "%zu", len);
        free(copy);
    }
}

Test(ipc_codec, a_byte_too_many_is_refused)
{
    struct sk_all all = sample();
    struct sk_slice bytes = encoded(SK_ALL, &all);
    union sk_ipc_any any;
    const struct sk_ipc_layout *layout;
    cr_assert_eq(sk_ipc_decode(&sk_sample_interface, CLIENT, sk_slice(bytes.data, bytes.len + 1), &any, &layout), 1);
    cr_assert_eq(sk_ipc_decode(&sk_sample_interface, CLIENT, SK_LIT("\x04\x00\x00"), &any, &layout), 1);
}

/* What still decodes is a message of the interface whose texts lie within the bytes and whose encoding is these bytes. */
static void check_decoded(struct sk_slice bytes, const union sk_ipc_any *any, const struct sk_ipc_layout *layout)
{
    uint8_t again[1000];
    int len = sk_ipc_encode(&sk_sample_interface, layout->code, any, again, sizeof(again));
    cr_assert(len > 0 && sk_slice_eq(sk_slice(again, (size_t)len), bytes));
}

Test(ipc_codec, every_flipped_byte_is_refused_or_is_another_whole_message)
{
    struct sk_all all = sample();
    struct sk_slice bytes = encoded(SK_ALL, &all);
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t was = wire[i];
        for (int value = 0; value < 256; value++) {
            union sk_ipc_any any;
            const struct sk_ipc_layout *layout;
            char *copy;
            wire[i] = (uint8_t)value;
            if (decode(bytes, &any, &layout, &copy) == 0) {
                check_decoded(bytes, &any, layout);
            }
            free(copy);
        }
        wire[i] = was;
    }
}

Test(ipc_codec, a_hostile_length_never_leaves_the_message)
{
    static const uint32_t lengths[] = {1, 8, 9, 20, 21, 0x7fffffff, 0x80000000, UINT32_MAX - 3, UINT32_MAX};
    for (size_t i = 0; i < SK_COUNT(lengths); i++) {
        uint8_t bytes[6] = {2, 0};
        union sk_ipc_any any;
        const struct sk_ipc_layout *layout;
        char *copy;
        for (int j = 0; j < 4; j++) {
            bytes[2 + j] = (uint8_t)(lengths[i] >> (8 * j));
        }
        cr_expect_eq(decode(sk_slice(bytes, sizeof(bytes)), &any, &layout, &copy), 1, "%u", lengths[i]);
        free(copy);
    }
}

Test(ipc_codec, random_bytes_never_do_harm)
{
    uint32_t seed = 3;
    for (size_t turn = 0; turn < 200000; turn++) {
        uint8_t bytes[64];
        size_t len = turn % sizeof(bytes);
        union sk_ipc_any any;
        const struct sk_ipc_layout *layout;
        char *copy;
        for (size_t i = 0; i < len; i++) {
            seed = seed * 1664525U + 1013904223U;
            bytes[i] = (seed >> 27) < 20 ? (uint8_t)(seed >> 20) % 8 : (uint8_t)(seed >> 16);
        }
        if (decode(sk_slice(bytes, len), &any, &layout, &copy) == 0) {
            check_decoded(sk_slice(bytes, len), &any, layout);
        }
        free(copy);
    }
}
