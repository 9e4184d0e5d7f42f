/* Signed notes. Runs in whoever signs, and in whatever verifies. */
#include "crypto/note.h"

#include "base/clock.h"
#include "base/text.h"
#include "crypto/digest.h"

#include <endian.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>

#define ED25519 1  /* the kind, before the key */
#define COSIGNS 4  /* cosignature/v1 */
#define ID 4
#define SIGNATURE 64
#define STAMP 8 /* a cosignature's time, before it */
#define MARK "\xe2\x80\x94 " /* an em dash and a space begin a signature */

struct sk_note_key {
    EVP_PKEY *pkey;
    uint8_t public[SK_NOTE_KEY];
};

static bool is_name(struct sk_slice name)
{
    bool good = name.len > 0 && name.len <= SK_NOTE_NAME;
    for (size_t i = 0, len; good && i < name.len; i += len) {
        len = sk_utf8_len(sk_slice_from(name, i));
        good = len > 0 && (uint8_t)name.data[i] > 0x20 && name.data[i] != '+' && name.data[i] != 0x7f;
    }
    return good;
}

static void make_id(struct sk_slice name, uint8_t kind, const uint8_t public[SK_NOTE_KEY], uint8_t id[ID])
{
    uint8_t hash[SK_SHA256_SIZE];
    const struct sk_slice parts[] = {name, SK_LIT("\n"), sk_slice(&kind, 1), sk_slice(public, SK_NOTE_KEY)};
    sk_digest_sha256_parts(parts, SK_COUNT(parts), hash);
    memcpy(id, hash, ID);
}

struct sk_note_key *sk_note_key_new(const uint8_t secret[SK_NOTE_KEY])
{
    struct sk_note_key *key = calloc(1, sizeof(*key));
    size_t len = SK_NOTE_KEY;
    if (!key) {
        return NULL;
    }
    key->pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, SK_NOTE_KEY);
    if (!key->pkey || EVP_PKEY_get_raw_public_key(key->pkey, key->public, &len) != 1) {
        return sk_note_key_free(key);
    }
    return key;
}

struct sk_note_key *sk_note_key_free(struct sk_note_key *key)
{
    if (key) {
        EVP_PKEY_free(key->pkey);
        free(key);
    }
    return NULL;
}

static int put_vkey(struct sk_slice name, uint8_t kind, const uint8_t public[SK_NOTE_KEY], struct sk_buf *out)
{
    uint8_t bytes[1 + SK_NOTE_KEY] = {kind}, id[ID];
    char digits[2 * ID + 1], text[SK_BASE64_SIZE(sizeof(bytes))];
    memcpy(bytes + 1, public, SK_NOTE_KEY);
    make_id(name, kind, public, id);
    sk_hex_encode(id, ID, digits);
    (void)sk_base64_encode(sk_slice(bytes, sizeof(bytes)), text);
    return sk_buf_printf(out, "%.*s+%s+%s", (int)name.len, name.data, digits, text);
}

int sk_note_vkey(const struct sk_note_key *key, struct sk_slice name, struct sk_buf *out)
{
    return is_name(name) ? put_vkey(name, ED25519, key->public, out) : 1;
}

int sk_note_cosigner(const struct sk_note_key *key, struct sk_slice name, struct sk_buf *out)
{
    return is_name(name) ? put_vkey(name, COSIGNS, key->public, out) : 1;
}

/* Lines, each with its end. */
static bool is_text(struct sk_slice text)
{
    bool good = text.len > 0 && text.len <= SK_NOTE_TEXT && text.data[text.len - 1] == '\n';
    for (size_t i = 0, len; good && i < text.len; i += len) {
        bool end = text.data[i] == '\n', empty = end && (i == 0 || text.data[i - 1] == '\n');
        len = sk_utf8_len(sk_slice_from(text, i));
        good = len > 0 && !empty && ((uint8_t)text.data[i] >= 0x20 || end);
    }
    return good;
}

static int sign(const struct sk_note_key *key, struct sk_slice bytes, uint8_t signature[SIGNATURE])
{
    size_t len = SIGNATURE;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key->pkey) == 1 &&
                EVP_DigestSign(ctx, signature, &len, (const uint8_t *)bytes.data, bytes.len) == 1;
    EVP_MD_CTX_free(ctx);
    return good ? 0 : -ENOMEM;
}

static int put_line(struct sk_slice name, struct sk_slice bytes, struct sk_buf *out)
{
    char base64[SK_BASE64_SIZE(ID + STAMP + SIGNATURE)];
    (void)sk_base64_encode(bytes, base64);
    return sk_buf_printf(out, MARK "%.*s %s\n", (int)name.len, name.data, base64);
}

int sk_note_sign(const struct sk_note_key *key, struct sk_slice name, struct sk_slice text, struct sk_buf *out)
{
    uint8_t bytes[ID + SIGNATURE];
    if (!is_text(text) || !is_name(name)) {
        return 1;
    }
    make_id(name, ED25519, key->public, bytes);
    int r = sign(key, text, bytes + ID);
    r = r ? r : sk_buf_put(out, text);
    r = r ? r : sk_buf_put(out, SK_LIT("\n"));
    return r ? r : put_line(name, sk_slice(bytes, sizeof(bytes)), out);
}

/* What a cosignature signs. 0 or negative. */
static int put_cosigned(uint64_t time, struct sk_slice text, struct sk_buf *out)
{
    int r = sk_buf_printf(out, "cosignature/v1\ntime %llu\n", (unsigned long long)time);
    return r ? r : sk_buf_put(out, text);
}

int sk_note_cosign(const struct sk_note_key *key, struct sk_slice name, struct sk_slice text, uint64_t time, struct sk_buf *out)
{
    struct sk_buf bytes SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(2 * SK_NOTE_TEXT);
    uint8_t line[ID + STAMP + SIGNATURE];
    const uint64_t stamp = htobe64(time);
    if (!is_text(text) || !is_name(name)) {
        return 1;
    }
    make_id(name, COSIGNS, key->public, line);
    memcpy(line + ID, &stamp, STAMP);
    int r = put_cosigned(time, text, &bytes);
    r = r ? r : sign(key, sk_buf_peek(&bytes), line + ID + STAMP);
    return r ? r : put_line(name, sk_slice(line, sizeof(line)), out);
}

/* ---- verified ---- */

struct vkey {
    struct sk_slice name;
    uint8_t kind, public[SK_NOTE_KEY], id[ID];
};

static bool read_vkey(struct sk_slice text, uint8_t kind, struct vkey *key)
{
    uint8_t bytes[1 + SK_NOTE_KEY], id[ID];
    size_t len;
    key->name = sk_slice_split(&text, '+');
    struct sk_slice digits = sk_slice_split(&text, '+');
    if (!is_name(key->name) || digits.len != sizeof(id) * 2 || sk_hex_decode(digits, id, sizeof(id)) || sk_base64_decode(text, bytes, sizeof(bytes), &len) ||
            len != sizeof(bytes) || bytes[0] != kind) {
        return false;
    }
    key->kind = kind;
    memcpy(key->public, bytes + 1, SK_NOTE_KEY);
    make_id(key->name, kind, key->public, key->id);
    return memcmp(key->id, id, ID) == 0;
}

int sk_note_vkey_as(struct sk_slice vkey, struct sk_slice name, struct sk_buf *out)
{
    struct vkey key;
    return is_name(name) && read_vkey(vkey, ED25519, &key) ? put_vkey(name, ED25519, key.public, out) : 1;
}

static bool is_signature(const struct vkey *key, struct sk_slice text, const uint8_t signature[SIGNATURE])
{
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key->public, SK_NOTE_KEY);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = pkey && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
                EVP_DigestVerify(ctx, signature, SIGNATURE, (const uint8_t *)text.data, text.len) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return good;
}

/* The line's signature, when it is one of this key's, with what stands before it. -1: it is none at all. */
static int read_signature(struct sk_slice line, const struct vkey *key, uint8_t signature[STAMP + SIGNATURE])
{
    const size_t size = ID + (key->kind == COSIGNS ? STAMP : 0) + SIGNATURE;
    uint8_t bytes[ID + STAMP + SIGNATURE];
    size_t len;
    struct sk_slice mark = SK_LIT(MARK);
    if (!sk_slice_starts(line, mark)) {
        return -1;
    }
    line = sk_slice_from(line, mark.len);
    struct sk_slice name = sk_slice_split(&line, ' ');
    if (!is_name(name) || line.len == 0) {
        return -1;
    }
    /* Others' may be of kinds that are not known yet, and of any length. */
    if (!sk_slice_eq(name, key->name) || sk_base64_decode(line, bytes, sizeof(bytes), &len) || len != size || memcmp(bytes, key->id, ID) != 0) {
        return 0;
    }
    memcpy(signature, bytes + ID, size - ID);
    return 1;
}

/* Before the last empty line. */
struct sk_slice sk_note_text(struct sk_slice note)
{
    size_t end = note.len <= 2 * SK_NOTE_TEXT ? note.len : 0;
    while (end > 1 && !(note.data[end - 1] == '\n' && note.data[end - 2] == '\n')) {
        end--;
    }
    struct sk_slice text = end > 1 ? sk_slice_cut(note, end - 1) : SK_SLICE_NULL;
    return is_text(text) ? text : SK_SLICE_NULL;
}

/* The key's one signature of a note, and the text. 0; 1 there is none, or it is no note. */
static int find_signature(const struct vkey *key, struct sk_slice note, struct sk_slice *text, uint8_t signature[STAMP + SIGNATURE])
{
    struct sk_slice signed_text = sk_note_text(note), lines = sk_slice_from(note, signed_text.len + 1);
    bool found = false;
    if (!signed_text.len || lines.len == 0 || lines.data[lines.len - 1] != '\n') {
        return 1;
    }
    while (lines.len) {
        uint8_t one[STAMP + SIGNATURE] = {0};
        int r = read_signature(sk_slice_split(&lines, '\n'), key, one);
        if (r < 0 || (r && found)) {
            return 1; /* what is no signature, or two of one key */
        }
        if (r) {
            memcpy(signature, one, sizeof(one));
            found = true;
        }
    }
    *text = signed_text;
    return !found;
}

int sk_note_verify(struct sk_slice vkey, struct sk_slice note, struct sk_slice *text)
{
    struct vkey key;
    uint8_t signature[STAMP + SIGNATURE];
    int r = read_vkey(vkey, ED25519, &key) ? find_signature(&key, note, text, signature) : 1;
    return r ? r : !is_signature(&key, *text, signature);
}

int sk_note_verify_cosigned(struct sk_slice vkey, struct sk_slice note, struct sk_slice *text, uint64_t *time)
{
    struct sk_buf bytes SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(2 * SK_NOTE_TEXT);
    struct vkey key;
    uint8_t signature[STAMP + SIGNATURE];
    int r = read_vkey(vkey, COSIGNS, &key) ? find_signature(&key, note, text, signature) : 1;
    if (r) {
        return r;
    }
    memcpy(time, signature, STAMP);
    *time = be64toh(*time);
    r = put_cosigned(*time, *text, &bytes);
    return r ? r : !is_signature(&key, sk_buf_peek(&bytes), signature + STAMP);
}
