/* gateway/proxy/form.c: what a form says, byte for byte; what is no escape stays as it is. */
#include "proxy/form.h"

#include <criterion/criterion.h>

static struct sk_arena arena;

static void begin(void)
{
    sk_arena_init(&arena, (size_t)1 << 16);
}

static void end(void)
{
    sk_arena_free(&arena);
}

TestSuite(proxy_form, .init = begin, .fini = end);

static void says(const char *form, const char *name, unsigned nth, const char *value)
{
    struct sk_slice found = sk_form_value(&arena, sk_slice_str(form), name, nth);
    cr_expect_eq(found.data == NULL, value == NULL, "%s of %s", name, form);
    cr_expect(!value || sk_slice_eq(found, sk_slice_str(value)), "%s of %s is '%.*s'", name, form, (int)found.len, found.data ? found.data : "");
}

Test(proxy_form, values_are_decoded_once)
{
    says("a=1&b=2", "b", 0, "2");
    says("a=%41+%2B%2541", "a", 0, "A +%41");
    says("a=%C3%A9%e3%81%82", "a", 0, "\xc3\xa9\xe3\x81\x82");
    says("a", "a", 0, "");
    says("a=", "a", 0, "");
    says("a=b=c", "a", 0, "b=c");
}

Test(proxy_form, the_nth_of_a_name_is_that_and_no_other)
{
    says("a=1&a=2&aa=3&a=4", "a", 1, "2");
    says("a=1&a=2&aa=3&a=4", "a", 2, "4");
    says("a=1&a=2&aa=3&a=4", "a", 3, NULL);
    says("", "a", 0, NULL);
    says("%61=1", "a", 0, NULL); /* names are the gateway's own, and plain */
}

Test(proxy_form, what_is_no_escape_stays_as_it_is)
{
    says("a=%", "a", 0, "%");
    says("a=%4", "a", 0, "%4");
    says("a=%4g%zz", "a", 0, "%4g%zz");
    says("a=100%", "a", 0, "100%");
}

Test(proxy_form, without_memory_there_is_no_value)
{
    static char large[1 << 17] = "a=";
    memset(large + 2, 'x', sizeof(large) - 3);
    says(large, "a", 0, NULL);
}
