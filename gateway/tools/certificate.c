/* Certificates of erasure. Runs in sekisho-verify. */
#include "tools/certificate.h"

#include "base/text.h"
#include "crypto/note.h"
#include "tools/checkpoints.h"

bool sk_certificate_is(struct sk_slice file)
{
    return sk_slice_starts(file, SK_LIT(SK_ERASURE_BEGINS));
}

int sk_certificate_verify(struct sk_slice file, const char *vkey, struct sk_erasure *erasure)
{
    return file.len > SK_ERASURE_NOTE || sk_erasure_get(sk_note_text(file), erasure) || !sk_checkpoints_is_signed(vkey, &erasure->was, file);
}

static void print_json(const struct sk_erasure *e, const char *tenant, const char *time, FILE *out)
{
    struct sk_buf text SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(4096);
    bool bad = sk_buf_printf(&text, "{\"good\":true,\"erased\":true,\"tenant\":\"%s\",\"contract\":", tenant) || sk_json_put_string(&text, sk_slice_str(e->contract)) ||
               sk_buf_printf(&text, ",\"size\":%llu,\"time\":\"%s\"}\n", (unsigned long long)e->was.size, time);
    (void)fprintf(out, "%.*s", bad ? 0 : (int)sk_buf_len(&text), bad ? "" : sk_buf_peek(&text).data);
}

void sk_certificate_print(const struct sk_erasure *e, bool json, FILE *out)
{
    char tenant[2 * SK_ID_SIZE + 1], node[2 * SK_ID_SIZE + 1], time[32];
    sk_hex_encode(e->was.tenant, SK_ID_SIZE, tenant);
    sk_hex_encode(e->was.node, SK_ID_SIZE, node);
    sk_time_text(e->was.wall, time);
    if (json) {
        print_json(e, tenant, time, out);
        return;
    }
    (void)fprintf(out, "erased: what tenant %s recorded, %llu records, as gateway %s signed it\n", tenant, (unsigned long long)e->was.size, node);
    (void)fprintf(out, "contract %s\n", e->contract);
    (void)fprintf(out, "signed  %s, when its key and every copy of it were gone; by the key that was given\n", time);
}
