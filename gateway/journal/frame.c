/* The journal's framing. Runs in audit and in sekisho-verify. */
#include "journal/frame.h"

#include "crypto/digest.h"

#define GROUP_HASH ((size_t)104) /* where it stands in the header, of all before it */

static const char file_magic[8] = {'S', 'K', 'J', 'F', 'I', 'L', 'E', '1'};
static const char group_magic[8] = {'S', 'K', 'J', 'G', 'R', 'P', '0', '1'};

/* All numbers are little-endian. */
static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) {
        p[i] = (uint8_t)(v >> (8 * i));
    }
}

static void put64(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++) {
        p[i] = (uint8_t)(v >> (8 * i));
    }
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t get64(const uint8_t *p)
{
    return (uint64_t)get32(p) | (uint64_t)get32(p + 4) << 32;
}

void sk_frame_put_file(const struct sk_frame_file *file, uint8_t out[SK_FRAME_BLOCK])
{
    memset(out, 0, SK_FRAME_BLOCK);
    memcpy(out, file_magic, 8);
    put32(out + 8, SK_FRAME_FORMAT);
    put64(out + 16, file->number);
    memcpy(out + 24, file->node, SK_ID_SIZE);
    memcpy(out + 40, file->previous, SK_FRAME_HASH);
    memcpy(out + 72, file->epoch, SK_ID_SIZE);
    sk_digest_sha256(sk_slice(out, SK_FRAME_BLOCK - SK_FRAME_HASH), out + SK_FRAME_BLOCK - SK_FRAME_HASH);
}

int sk_frame_get_file(const uint8_t in[SK_FRAME_BLOCK], struct sk_frame_file *file)
{
    uint8_t hash[SK_FRAME_HASH];
    if (memcmp(in, file_magic, 8) != 0) {
        return 1;
    }
    if (get32(in + 8) != SK_FRAME_FORMAT) {
        return 2;
    }
    sk_digest_sha256(sk_slice(in, SK_FRAME_BLOCK - SK_FRAME_HASH), hash);
    if (memcmp(hash, in + SK_FRAME_BLOCK - SK_FRAME_HASH, SK_FRAME_HASH) != 0) {
        return 1;
    }
    *file = (struct sk_frame_file){.number = get64(in + 16)};
    memcpy(file->node, in + 24, SK_ID_SIZE);
    memcpy(file->previous, in + 40, SK_FRAME_HASH);
    memcpy(file->epoch, in + 72, SK_ID_SIZE);
    return 0;
}

void sk_frame_put_group(struct sk_frame_group *group, const uint8_t *body, uint8_t out[SK_FRAME_GROUP_HEADER])
{
    memset(out, 0, SK_FRAME_GROUP_HEADER);
    memcpy(out, group_magic, 8);
    put64(out + 8, group->file);
    put64(out + 16, group->number);
    put32(out + 24, group->body);
    put32(out + 28, group->count);
    put64(out + 32, group->wall);
    put64(out + 40, group->boot);
    put32(out + 48, (uint32_t)group->kind);
    put32(out + 52, group->day);
    memcpy(out + 56, group->run, SK_ID_SIZE);
    memcpy(out + 72, group->previous, SK_FRAME_HASH);
    const struct sk_slice parts[] = {sk_slice(out, GROUP_HASH), sk_slice(body, group->body)};
    sk_digest_sha256_parts(parts, SK_COUNT(parts), group->hash);
    memcpy(out + GROUP_HASH, group->hash, SK_FRAME_HASH);
}

int sk_frame_get_group(const uint8_t in[SK_FRAME_GROUP_HEADER], struct sk_frame_group *group)
{
    if (memcmp(in, group_magic, 8) != 0) {
        return 1;
    }
    group->file = get64(in + 8);
    group->number = get64(in + 16);
    group->body = get32(in + 24);
    group->count = get32(in + 28);
    group->wall = get64(in + 32);
    group->boot = get64(in + 40);
    group->kind = (enum sk_frame_group_kind)get32(in + 48);
    group->day = get32(in + 52);
    memcpy(group->run, in + 56, SK_ID_SIZE);
    memcpy(group->previous, in + 72, SK_FRAME_HASH);
    memcpy(group->hash, in + GROUP_HASH, SK_FRAME_HASH);
    bool known = group->kind == SK_FRAME_SNAPSHOT || ((group->kind == SK_FRAME_RECORDS || group->kind == SK_FRAME_PART) && group->count > 0);
    return !known || group->body > SK_FRAME_BODY_MAX;
}

bool sk_frame_check_group(const uint8_t header[SK_FRAME_GROUP_HEADER], const uint8_t *body, size_t len)
{
    uint8_t hash[SK_FRAME_HASH];
    const struct sk_slice parts[] = {sk_slice(header, GROUP_HASH), sk_slice(body, len)};
    sk_digest_sha256_parts(parts, SK_COUNT(parts), hash);
    return memcmp(hash, header + GROUP_HASH, SK_FRAME_HASH) == 0;
}

void sk_frame_put_record(const struct sk_frame_record *record, uint8_t out[SK_FRAME_RECORD_HEADER])
{
    put32(out, record->len);
    put32(out + 4, (uint32_t)record->kind);
    memcpy(out + 8, record->tenant, SK_ID_SIZE);
    put64(out + 24, record->seq);
}

int sk_frame_next_record(struct sk_slice *body, struct sk_frame_record *record, struct sk_slice *held)
{
    if (body->len < SK_FRAME_RECORD_HEADER) {
        return 1;
    }
    const uint8_t *p = (const uint8_t *)body->data;
    record->len = get32(p);
    record->kind = (enum sk_frame_kind)get32(p + 4);
    memcpy(record->tenant, p + 8, SK_ID_SIZE);
    record->seq = get64(p + 24);
    if (record->kind != SK_FRAME_SEALED || record->len < SK_FRAME_HASH || record->len > SK_FRAME_RECORD_MAX ||
            record->len > body->len - SK_FRAME_RECORD_HEADER) {
        return 1;
    }
    *held = sk_slice(p + SK_FRAME_RECORD_HEADER, record->len);
    *body = sk_slice_from(*body, SK_FRAME_RECORD_HEADER + record->len);
    return 0;
}

void sk_frame_put_entry(const struct sk_frame_entry *entry, uint8_t out[SK_FRAME_ENTRY])
{
    memset(out, 0, SK_FRAME_ENTRY);
    put32(out, (uint32_t)entry->kind);
    memcpy(out + 8, entry->tenant, SK_ID_SIZE);
    put64(out + 24, entry->seq);
    memcpy(out + 32, entry->hash, SK_FRAME_HASH);
}

int sk_frame_next_entry(struct sk_slice *body, struct sk_frame_entry *entry)
{
    if (body->len < SK_FRAME_ENTRY) {
        return 1;
    }
    const uint8_t *p = (const uint8_t *)body->data;
    entry->kind = (enum sk_frame_entry_kind)get32(p);
    memcpy(entry->tenant, p + 8, SK_ID_SIZE);
    entry->seq = get64(p + 24);
    memcpy(entry->hash, p + 32, SK_FRAME_HASH);
    *body = sk_slice_from(*body, SK_FRAME_ENTRY);
    static const uint8_t zero[SK_FRAME_HASH - SK_ID_SIZE];
    bool right = entry->kind == SK_FRAME_INTENT ? memcmp(entry->hash + SK_ID_SIZE, zero, sizeof(zero)) == 0 : entry->kind == SK_FRAME_TENANT || entry->kind == SK_FRAME_PEAK;
    return get32(p + 4) != 0 || !right;
}
