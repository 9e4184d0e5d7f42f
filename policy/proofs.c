/* What was proven, as a text between processes and in rows. Pure; any process. */
#include "sekisho/policy.h"

#include "base/text.h"

#include <stdio.h>

size_t sk_policy_proofs_text(const uint64_t proven[SK_POLICY_FACTORS], char out[SK_POLICY_PROOFS_TEXT])
{
    size_t len = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < SK_POLICY_FACTORS; i++) {
        struct sk_slice name = sk_policy_factor_name((enum sk_policy_factor)i);
        if (proven[i]) {
            const char *comma = len ? "," : "";
            int n = proven[i] == SK_POLICY_PROVEN_NOW
                            ? snprintf(out + len, SK_POLICY_PROOFS_TEXT - len, "%s%.*s@now", comma, (int)name.len, name.data)
                            : snprintf(out + len, SK_POLICY_PROOFS_TEXT - len, "%s%.*s@%llu", comma, (int)name.len, name.data,
                                      (unsigned long long)proven[i]);
            len += n > 0 ? (size_t)n : 0;
        }
    }
    return len;
}

void sk_policy_proofs_read(struct sk_slice text, uint64_t proven[SK_POLICY_FACTORS])
{
    memset(proven, 0, sizeof(*proven) * SK_POLICY_FACTORS);
    while (text.len) {
        struct sk_slice at = sk_slice_split(&text, ','), name = sk_slice_split(&at, '@');
        int factor = sk_policy_find_factor(name);
        uint64_t when = SK_POLICY_PROVEN_NOW;
        if (factor >= 0 && (sk_slice_eq(at, SK_LIT("now")) || sk_slice_u64(at, SK_POLICY_PROVEN_NOW - 1, &when) == 0)) {
            proven[factor] = when;
        }
    }
}
