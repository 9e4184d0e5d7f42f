/*
 * Puts one question to the WebAuthn verifier, for tests in other languages: ask register|assert NAME=VALUE ...
 * NAME is a field of ipc/factor.h, VALUE hexadecimal, or a decimal number. Every field of the answer is printed the same way.
 */
#include "factor/webauthn.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *value_of(char **arguments, const char *name)
{
    size_t len = strlen(name);
    for (; *arguments; arguments++) {
        if (strncmp(*arguments, name, len) == 0 && (*arguments)[len] == '=') {
            return *arguments + len + 1;
        }
    }
    return "";
}

static struct sk_slice bytes(const char *hex)
{
    size_t len = strlen(hex) / 2;
    uint8_t *out = malloc(len + 1);
    if (!out || sk_hex_decode(sk_slice_str(hex), out, len)) {
        exit(2);
    }
    return sk_slice(out, len);
}

static void print(const char *name, const void *data, size_t len)
{
    printf("%s=", name);
    for (size_t i = 0; i < len; i++) {
        printf("%02x", ((const uint8_t *)data)[i]);
    }
    printf("\n");
}

#define ASK_U(name) .name = strtoull(value_of(arguments, #name), NULL, 10),
#define ASK_T(name, most) .name = bytes(value_of(arguments, #name)),
#define SAY_U(name) printf(#name "=%" PRIu64 "\n", said.name);
#define SAY_I(name) print(#name, said.name, sizeof(said.name));
#define SAY_T(name, most) print(#name, said.name.data, said.name.len);

static void registration(char **arguments)
{
    struct sk_factor_register ask = {SK_FACTOR_REGISTER_FIELDS(ASK_U, , ASK_T)};
    struct sk_factor_registered said;
    (void)sk_webauthn_register(&ask, &said);
    SK_FACTOR_REGISTERED_FIELDS(SAY_U, SAY_I, SAY_T)
}

static void assertion(char **arguments)
{
    struct sk_factor_assert ask = {SK_FACTOR_ASSERT_FIELDS(ASK_U, , ASK_T)};
    struct sk_factor_asserted said;
    (void)sk_webauthn_assert(&ask, &said);
    SK_FACTOR_ASSERTED_FIELDS(SAY_U, SAY_I, SAY_T)
}

int main(int count, char **arguments)
{
    if (count < 2 || sk_webauthn_warm() < 0) {
        return 2;
    }
    (strcmp(arguments[1], "register") == 0 ? registration : assertion)(arguments + 2);
    return 0;
}
