/* Passwords' normal form, and rules for new ones. The factor helpers and the command line. */
#include "crypto/password.h"

#include "base/clock.h"
#include "crypto/digest.h"

#include <utf8proc.h>

#define LETTERS_BESIDE 4 /* that a context word must have beside it */
#define TAKEN '\0'       /* no password has it */
#define PARTS_MAX (2 * (size_t)SK_PASSWORD_MAX) /* code points: three of two bytes are the most that a byte comes apart in */
#define REPEATED 9       /* what repeats after fewer characters is as good as those alone */

/* Made by blocklist.py at build. */
extern const size_t sk_blocklist_count;
extern const uint64_t sk_blocklist[];

const char *sk_password_reason(enum sk_password_fault fault)
{
#define TEXT(NAME, text) text,
    static const char *const reasons[] = {"", SK_PASSWORD_FAULTS(TEXT)};
    return reasons[fault];
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (unsigned char)c >= 0x80;
}

static bool is_listed(struct sk_slice word)
{
    uint8_t hash[SK_SHA256_SIZE];
    uint64_t number = 0;
    sk_digest_sha256(word, hash);
    for (int i = 0; i < 8; i++) {
        number = number << 8 | hash[i];
    }
    size_t low = 0;
    for (size_t high = sk_blocklist_count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (sk_blocklist[middle] == number) {
            return true;
        }
        if (sk_blocklist[middle] < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

/* The same few characters, over and over. */
static bool is_repeated(struct sk_slice text)
{
    for (size_t period = 1; period < REPEATED && 2 * period <= text.len; period++) {
        if (memcmp(text.data, text.data + period, text.len - period) == 0) {
            return true;
        }
    }
    return false;
}

/* Few different characters, or each one more, or one less, than the one before. */
static bool is_pattern(struct sk_slice text)
{
    bool seen[256] = {false};
    size_t different = 0, up = 1, down = 1;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i], before = i ? (unsigned char)text.data[i - 1] : 0;
        different += !seen[c];
        seen[c] = true;
        up += i && (c == before + 1 || (before == '9' && c == '0'));
        down += i && c + 1 == before;
    }
    return different < 4 || up == text.len || down == text.len || is_repeated(text);
}

static struct sk_slice without_ends(struct sk_slice text)
{
    while (text.len && !is_letter(text.data[0])) {
        text = sk_slice_from(text, 1);
    }
    while (text.len && !is_letter(text.data[text.len - 1])) {
        text.len--;
    }
    return text;
}

/* Blanks out the word wherever it stands. */
static void take_out(char *text, size_t len, struct sk_slice word)
{
    for (size_t i = 0; word.len <= len && i <= len - word.len;) {
        if (sk_slice_eq_nocase(sk_slice(text + i, word.len), word)) {
            memset(text + i, TAKEN, word.len);
            i += word.len;
        } else {
            i++;
        }
    }
}

static bool is_context(char *text, size_t len, struct sk_slice context)
{
    bool found = false;
    size_t letters = 0;
    while (context.len) {
        struct sk_slice word = sk_slice_trim(sk_slice_split(&context, '\n'));
        char normal[SK_PASSWORD_MAX];
        size_t size;
        if (sk_password_normal(word, normal, &size) == 0 && size >= 4) {
            take_out(text, len, sk_slice(normal, size));
        }
    }
    for (size_t i = 0; i < len; i++) {
        found = found || text[i] == TAKEN;
        letters += is_letter(text[i]);
    }
    return found && letters < LETTERS_BESIDE;
}

static enum sk_password_fault check_lower(char *text, size_t len, struct sk_slice context)
{
    struct sk_slice whole = sk_slice(text, len), core = without_ends(whole);
    if (is_pattern(whole) || is_listed(whole) || (core.len >= 4 && is_listed(core))) {
        return SK_PASSWORD_COMMON;
    }
    return is_context(text, len, context) ? SK_PASSWORD_CONTEXT : SK_PASSWORD_GOOD;
}

/* Neither a control character, whose way through a keyboard or form nobody knows, nor one that a later Unicode may give another form. */
static bool is_typed(int32_t c)
{
    utf8proc_category_t category = utf8proc_category(c);
    return category != UTF8PROC_CATEGORY_CC && category != UTF8PROC_CATEGORY_CN;
}

int sk_password_normal(struct sk_slice typed, char out[SK_PASSWORD_MAX], size_t *len)
{
    const utf8proc_option_t form = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
    int32_t parts[PARTS_MAX + 1] sk_uninitialized; /* the text is written into the same place, and a NUL behind it */
    utf8proc_ssize_t count = SK_PASSWORD_MAX + 1;
    if (typed.len <= SK_PASSWORD_MAX) {
        count = utf8proc_decompose((const uint8_t *)typed.data, (utf8proc_ssize_t)typed.len, parts, (utf8proc_ssize_t)PARTS_MAX, form);
        count = count < 0 ? count : utf8proc_reencode(parts, count, form);
    }
    int r = count < 0 ? 1 : count > (utf8proc_ssize_t)SK_PASSWORD_MAX ? 2 : 0;
    *len = r ? 0 : (size_t)count;
    memcpy(out, parts, *len);
    sk_wipe(parts, sizeof(parts));
    return r;
}

/* Of text in normal form. 0, or 1 when there is a character that none types. */
static int count_typed(struct sk_slice text, size_t *characters)
{
    *characters = 0;
    for (int32_t c; text.len; ++*characters) {
        text = sk_slice_from(text, (size_t)utf8proc_iterate((const uint8_t *)text.data, (utf8proc_ssize_t)text.len, &c));
        if (!is_typed(c)) {
            return 1;
        }
    }
    return 0;
}

enum sk_password_fault sk_password_check(struct sk_slice typed, size_t least, struct sk_slice context)
{
    char text[SK_PASSWORD_MAX];
    size_t len, characters;
    enum sk_password_fault fault;
    int r = sk_password_normal(typed, text, &len);
    if (r) {
        return r == 1 ? SK_PASSWORD_NO_TEXT : SK_PASSWORD_LONG;
    }
    if (count_typed(sk_slice(text, len), &characters)) {
        fault = SK_PASSWORD_NO_TEXT;
    } else if (characters < least) {
        fault = SK_PASSWORD_SHORT;
    } else {
        for (size_t i = 0; i < len; i++) {
            text[i] = sk_ascii_lower(text[i]);
        }
        fault = check_lower(text, len, context);
    }
    sk_wipe(text, sizeof(text));
    return fault;
}
