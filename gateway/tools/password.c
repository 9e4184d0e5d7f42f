/* sekisho hash-password: the text for `password_hash` of a tenant file. */
#include "tools/tools.h"

#include "base/clock.h"
#include "base/buf.h"
#include "base/text.h"
#include "crypto/password.h"

#include <argon2.h>

#define MEMORY_KIB 19456
#define PASSES 2
#define LANES 1

static int print_hash(struct sk_slice password)
{
    uint8_t salt[16];
    char encoded[256];
    sk_random(salt, sizeof(salt));
    int r = argon2id_hash_encoded(
            PASSES, MEMORY_KIB, LANES, password.data, password.len, salt, sizeof(salt), 32, encoded, sizeof(encoded));
    if (r != ARGON2_OK) {
        return sk_tool_fail("hash-password", argon2_error_message(r), NULL);
    }
    return printf("%s\n", encoded) < 0 || fflush(stdout) ? sk_tool_fail("standard output", "cannot be written", NULL) : SK_TOOL_OK;
}

static size_t count_characters(struct sk_slice text)
{
    size_t count = 0;
    for (; text.len; count++) {
        text = sk_slice_from(text, sk_utf8_len(text));
    }
    return count;
}

static int refuse(enum sk_password_fault fault, struct sk_slice password, size_t least, bool second)
{
    char why[96];
    switch (fault) {
    case SK_PASSWORD_SHORT:
        (void)snprintf(why, sizeof(why), "it has %zu characters, at least %zu are needed", count_characters(password), least);
        return sk_tool_fail("password", why, second ? "a longer one" : "a longer one, or --with-second-factor (at least 8)");
    case SK_PASSWORD_COMMON:
        return sk_tool_fail("password", "it is one of those that are tried first", "several words that do not belong together make a good one");
    case SK_PASSWORD_CONTEXT:
        return sk_tool_fail("password", "it is little more than a name from --context", "several words that do not belong together make a good one");
    default:
        return sk_tool_fail("password", "it is not text of at most 1024 bytes, or has a character that is none to type", NULL);
    }
}

static int run(const struct sk_tool_values *operands sk_unused, const struct sk_tool_values *options)
{
    struct sk_buf context SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(65536);
    char password[SK_PASSWORD_MAX + 1], normal[SK_PASSWORD_MAX];
    size_t len, least = options[0].count ? SK_PASSWORD_SECOND : SK_PASSWORD_ALONE;
    if (sk_tool_password("Password", 2, password, &len)) {
        return SK_TOOL_FAILED;
    }
    for (unsigned i = 0; i < options[1].count; i++) {
        (void)!sk_buf_printf(&context, "%s\n", options[1].values[i]);
    }
    enum sk_password_fault fault = sk_password_check(sk_slice(password, len), least, sk_buf_peek(&context));
    (void)!sk_password_normal(sk_slice(password, len), normal, &len); /* a good one has it, and one that is too short */
    int r = fault == SK_PASSWORD_GOOD ? print_hash(sk_slice(normal, len)) : refuse(fault, sk_slice(normal, len), least, options[0].count > 0);
    sk_wipe(password, sizeof(password));
    sk_wipe(normal, sizeof(normal));
    return r;
}

static const struct sk_tool_option options[] = {
        {"--with-second-factor", NULL, "the user has a second factor: 8 characters are enough, instead of 15", false},
        {"--context", "WORD", "a name that it must not be made of: the user's, the tenant's", true}, {NULL}};

const struct sk_tool_command sk_tool_hash_password = {.name = "hash-password",
        .operands = "",
        .help = "Read a password (terminal, or one line of standard input) and print its Argon2id hash.",
        .options = options,
        .run = run};
