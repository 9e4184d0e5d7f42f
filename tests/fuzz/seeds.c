/*
 * Writes what fuzzers begin with that is no text: a message of each kind, records, checkpoints, a tenant's image, a balancer's header, certificates and
 * revocation lists. seeds FOLDER
 */
#include "authority.h"
#include "crypto/note.h"
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
#include "journal/checkpoint.h"
#include "journal/frame.h"
#include "journal/record.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

static const char *folder;

static void put(const char *fuzzer, unsigned n, struct sk_slice before, struct sk_slice bytes)
{
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/%s/seed-%u", folder, fuzzer, n);
    FILE *file = fopen(path, "w");
    if (!file || fwrite(before.data, 1, before.len, file) != before.len || fwrite(bytes.data, 1, bytes.len, file) != bytes.len || fclose(file)) {
        perror(path);
        exit(1);
    }
}

/* A message has its fields one behind the other, of 8 or 16 bytes each. */
static void fill(const struct sk_ipc_layout *layout, union sk_ipc_any *message)
{
    size_t at = 0;
    memset(message, 0, sizeof(*message));
    for (uint16_t i = 0; i < layout->fields_count; i++) {
        const struct sk_slice text = SK_LIT("a,b");
        const uint64_t number = i;
        bool one = layout->fields[i].type == SK_IPC_NUMBER;
        if (one) {
            memcpy(message->bytes + at, &number, sizeof(number));
        } else if (layout->fields[i].type == SK_IPC_TEXT && layout->fields[i].most >= text.len) {
            memcpy(message->bytes + at, &text, sizeof(text));
        }
        at += one ? 8 : 16;
    }
}

static void put_messages(void)
{
    static const struct sk_ipc_interface *const all[] = {&sk_auth_interface, &sk_control_interface, &sk_factor_interface, &sk_fetch_interface, &sk_pam_interface, &sk_signer_interface,
            &sk_store_interface, &sk_tenant_interface, &sk_reader_interface, &sk_serving_interface};
    static uint8_t bytes[SK_IPC_MESSAGE_MAX];
    unsigned n = 0, images = 0;
    for (size_t i = 0; i < SK_COUNT(all); i++) {
        for (size_t k = 0; k < all[i]->layouts_count; k++) {
            const struct sk_ipc_layout *layout = &all[i]->layouts[k];
            const char head[2] = {(char)i, (char)layout->sender};
            union sk_ipc_any message;
            fill(layout, &message);
            int len = sk_ipc_encode(all[i], layout->code, &message, bytes, sizeof(bytes));
            if (len < 0) {
                abort();
            }
            put("ipc", n++, sk_slice(head, sizeof(head)), sk_slice(bytes, (size_t)len));
            const uint32_t size = (uint32_t)len;
            if (all[i] == &sk_tenant_interface) {
                put("image", images++, sk_slice(&size, sizeof(size)), sk_slice(bytes, (size_t)len));
            }
        }
    }
}

static void put_records(void)
{
    uint8_t cbor[SK_AUDIT_RECORD_MAX], body[SK_FRAME_RECORD_HEADER + SK_AUDIT_RECORD_MAX];
    struct sk_audit_record record = {.op = SK_AUDIT_REQUEST, .stage = SK_AUDIT_STAGE_INTENT, .decision = SK_AUDIT_DECISION_ALLOW, .wall = 5, .boot = 6,
            .reason = SK_LIT("allowed"), .subject = SK_LIT("hanako"), .address = SK_LIT("\x7f\0\0\1"), .request = SK_LIT("0123456789abcdef"), .host = SK_LIT("h"),
            .path = SK_LIT("/"), .method = SK_LIT("GET"), .status = 200};
    for (unsigned n = 0; n < 4; n++) {
        record.stage = n & 1 ? SK_AUDIT_STAGE_OUTCOME : SK_AUDIT_STAGE_INTENT;
        record.factors = n & 2 ? SK_LIT("pwd,hwk") : SK_SLICE_NULL;
        size_t len = sk_record_encode(&record, cbor), whole = SK_FRAME_RECORD_HEADER + len;
        const struct sk_frame_record frame = {.len = (uint32_t)len, .kind = SK_FRAME_SEALED}; /* by nobody */
        const char group[] = {'G', SK_FRAME_SNAPSHOT, 0, 0, 0, SK_FRAME_RECORDS, 1, (char)(whole >> 8), (char)whole};
        sk_frame_put_record(&frame, body);
        memcpy(body + SK_FRAME_RECORD_HEADER, cbor, len);
        put("record", n, SK_LIT("R"), sk_slice(cbor, len));
        put("view", n, SK_SLICE_NULL, sk_slice(cbor, len));
        put("record", 10 + n, sk_slice(group, sizeof(group)), sk_slice(body, whole));
    }
}

static void put_checkpoints(void)
{
    static const uint8_t secret[SK_NOTE_KEY] = {2};
    struct sk_buf text = SK_BUF_INIT(SK_CHECKPOINT_TEXT), note = SK_BUF_INIT(SK_CHECKPOINTS_NOTE);
    struct sk_checkpoint checkpoint = {.node = {1}, .tenant = {2}, .size = 3, .wall = UINT64_C(1700000000000000000), .clock_set = true, .clock_error = 5};
    struct sk_note_key *key = sk_note_key_new(secret);
    uint8_t block[SK_CHECKPOINTS_HALF];
    if (!key || sk_checkpoint_put(&checkpoint, &text) || sk_note_sign(key, SK_LIT("fuzz"), sk_buf_peek(&text), &note)) {
        abort();
    }
    const struct sk_checkpoint_half half = {.turn = 1, .note = sk_buf_peek(&note), .peaks = sk_slice(checkpoint.root, sizeof(checkpoint.root))};
    sk_checkpoints_put(&half, block);
    put("checkpoint", 0, SK_LIT("T"), sk_buf_peek(&text));
    put("checkpoint", 1, SK_LIT("N"), sk_buf_peek(&note));
    put("checkpoint", 2, sk_slice("B\3", 2), sk_slice(block, sizeof(block)));
    (void)sk_note_key_free(key);
    sk_buf_free(&note);
    sk_buf_free(&text);
}

/* A certificate with names of each kind. */
static void put_certificate(void)
{
    const struct fuzz_authority *a = fuzz_authority();
    X509 *cert = X509_dup(a->client);
    X509_EXTENSION *names = X509V3_EXT_conf(NULL, NULL, "subjectAltName", "email:jiro@example.test,URI:urn:x,otherName:1.3.6.1.4.1.311.20.2.3;UTF8:jiro@corp.test");
    unsigned char *der = NULL;
    int len = cert && names && X509_add_ext(cert, names, -1) == 1 && X509_sign(cert, a->key, NULL) > 0 ? i2d_X509(cert, &der) : -1;
    if (len < 0) {
        abort();
    }
    put("certificate", 0, SK_LIT("C"), sk_slice(der, (size_t)len));
    put("certificate", 1, SK_LIT("A"), sk_buf_peek(&a->pem));
    put("certificate", 2, SK_LIT("N"), SK_LIT("\0hanako@example.test"));
    put("certificate", 3, SK_LIT("N"), SK_LIT("\1hanako@corp.test\0other@corp.test"));
    OPENSSL_free(der);
    X509_EXTENSION_free(names);
    X509_free(cert);
}

static void put_lists(void)
{
    const struct {
        long number, base;
        unsigned year;
        bool revoked;
    } rows[] = {{5, 0, 2025, true}, {6, 0, 2026, false}, {7, 5, 2026, true}, {4, 0, 2024, true}};
    for (unsigned n = 0; n < SK_COUNT(rows); n++) {
        struct sk_buf pem SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(1 << 20);
        fuzz_list(rows[n].number, rows[n].base, rows[n].year, rows[n].revoked, &pem);
        struct sk_buf der SK_CLEANUP(sk_buf_free) = fuzz_der(sk_buf_peek(&pem));
        if (rows[n].revoked) { /* a newer one that the authority signed may take it back */
            put("certificate", 10 + n, SK_LIT("R"), sk_buf_peek(&pem));
        }
        put("certificate", 20 + n, SK_LIT("S"), sk_buf_peek(&der));
        put("document", 10 + n, SK_LIT("L"), n % 2 ? sk_buf_peek(&der) : sk_buf_peek(&pem));
        put("document", 20 + n, SK_LIT("S"), sk_buf_peek(&der));
    }
}

int main(int argc, char **argv)
{
    folder = argc > 1 ? argv[1] : ".";
    put_messages();
    put_records();
    put_checkpoints();
    put_certificate();
    put_lists();
    put("prefix", 0, SK_LIT("\r\n\r\n\0\r\nQUIT\n"), SK_LIT("\x21\x11\0\x0c\x7f\0\0\1\x7f\0\0\2\0\x50\1\xbb"));
    put("prefix", 1, SK_LIT("\r\n\r\n\0\r\nQUIT\n"), SK_LIT("\x20\0\0\0"));
    return 0;
}
