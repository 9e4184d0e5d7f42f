/* sekisho hash-password: the text for `password_hash` of a tenant file. */
#include "tools/tools.h"

#include "base/clock.h"
#include "base/text.h"

#include <argon2.h>

/* SP 800-63B-4 section 3.1.1.2: at least 15 characters alone, 8 with a second factor. */
#define LEAST_ALONE 15U
#define LEAST_WITH_SECOND 8U

#define MEMORY_KIB 19456
#define PASSES 2
#define LANES 1

static size_t count_characters(struct sk_slice text)
{
    size_t count = 0;
    while (text.len) {
        text = sk_slice_from(text, sk_utf8_len(text));
        count++;
    }
    return count;
}

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

static int run(const struct sk_tool_values *operands sk_unused, const struct sk_tool_values *options)
{
    char password[1025], why[96];
    size_t len;
    unsigned least = options[0].count ? LEAST_WITH_SECOND : LEAST_ALONE;
    if (sk_tool_password("Password", 2, password, &len)) {
        return SK_TOOL_FAILED;
    }
    size_t characters = count_characters(sk_slice(password, len));
    int r;
    if (characters < least) {
        (void)snprintf(why, sizeof(why), "it has %zu characters, at least %u are needed", characters, least);
        r = sk_tool_fail("password", why, options[0].count ? "a longer one" : "a longer one, or --with-second-factor (at least 8)");
    } else {
        r = print_hash(sk_slice(password, len));
    }
    sk_wipe(password, sizeof(password));
    return r;
}

static const struct sk_tool_option options[] = {
        {"--with-second-factor", NULL, "the user has a second factor: 8 characters are enough, instead of 15", false}, {NULL}};

const struct sk_tool_command sk_tool_hash_password = {.name = "hash-password",
        .operands = "",
        .help = "Read a password (terminal, or one line of standard input) and print its Argon2id hash.",
        .options = options,
        .run = run};
