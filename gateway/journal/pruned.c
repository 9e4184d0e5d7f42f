/* The detail of pruning. Any process that writes or reads records. */
#include "journal/pruned.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdio.h>

void sk_pruned_put(const struct sk_pruned *pruned, char out[SK_PRUNED_TEXT])
{
    char until[32];
    sk_time_text(pruned->until, until);
    (void)snprintf(out, SK_PRUNED_TEXT, "first=%llu end=%llu until=%.10s days=%u", (unsigned long long)pruned->first, (unsigned long long)pruned->end, until,
            pruned->days);
}

enum { DAY_1971 = 365, DAY_2400 = 157054 }; /* since 1970 */

/* `name`, and a number in decimal digits without a zero before them, up to a space or the end. */
static int get_number(struct sk_slice *rest, struct sk_slice name, uint64_t most, uint64_t *number)
{
    struct sk_slice word = sk_slice_split(rest, ' ');
    struct sk_slice digits = sk_slice_from(word, name.len);
    bool plain = sk_slice_starts(word, name) && (digits.len == 1 || (digits.len && digits.data[0] != '0'));
    return !plain || sk_slice_u64(digits, most, number);
}

int sk_pruned_get(struct sk_slice detail, struct sk_pruned *pruned)
{
    char again[SK_PRUNED_TEXT];
    struct sk_slice rest = detail, name = SK_LIT("until="), word;
    uint64_t days;
    if (get_number(&rest, SK_LIT("first="), UINT64_MAX, &pruned->first) || get_number(&rest, SK_LIT("end="), UINT64_MAX, &pruned->end)) {
        return 1;
    }
    word = sk_slice_split(&rest, ' ');
    if (!sk_slice_starts(word, name) || word.len != name.len + 10 || sk_time_parse(sk_slice_from(word, name.len), &pruned->until) ||
            get_number(&rest, SK_LIT("days="), SK_PRUNED_DAYS, &days)) {
        return 1;
    }
    pruned->days = (uint32_t)days;
    sk_pruned_put(pruned, again);
    uint64_t day = pruned->until / SK_DAY;
    return days == 0 || day < DAY_1971 || day >= DAY_2400 || pruned->first >= pruned->end || !sk_slice_eq(sk_slice_str(again), detail);
}
