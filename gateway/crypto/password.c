/* Rules for new passwords. The factor helpers and the command line. */
#include "crypto/password.h"

#include "base/clock.h"
#include "base/text.h"
#include "crypto/digest.h"

#define LETTERS_BESIDE 4 /* that a context word must have beside it */
#define TAKEN '\0'       /* no password has it */
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
        if (word.len >= 4) {
            take_out(text, len, word);
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

enum sk_password_fault sk_password_check(struct sk_slice password, size_t least, struct sk_slice context)
{
    char lower[SK_PASSWORD_MAX];
    size_t characters = 0;
    if (password.len > sizeof(lower)) {
        return SK_PASSWORD_LONG;
    }
    for (struct sk_slice rest = password; rest.len; characters++) {
        size_t len = sk_utf8_len(rest);
        if (len == 0 || (uint8_t)rest.data[0] < 0x20 || rest.data[0] == 0x7f) {
            return SK_PASSWORD_NO_TEXT;
        }
        rest = sk_slice_from(rest, len);
    }
    if (characters < least) {
        return SK_PASSWORD_SHORT;
    }
    for (size_t i = 0; i < password.len; i++) {
        lower[i] = sk_ascii_lower(password.data[i]);
    }
    enum sk_password_fault fault = check_lower(lower, password.len, context);
    sk_wipe(lower, sizeof(lower));
    return fault;
}
