/* gateway/conf/contract.c: a contract's last day is over when midnight comes where it was made, whatever the clocks do there, and whatever was asked before. */
#include "conf/conf.h"

#include "base/clock.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

/* By hand, from the rules of each zone: when the day and so many more are over, in UTC. */
static const struct {
    const char *zone, *day;
    uint64_t more;
    const char *over;
} of[] = {
        {NULL, "2026-07-01", 0, "2026-07-02T00:00:00Z"},
        {"UTC", "2026-07-01", 0, "2026-07-02T00:00:00Z"},
        {"Asia/Tokyo", "2026-07-01", 0, "2026-07-01T15:00:00Z"}, /* UTC+9 all year */
        {"Asia/Tokyo", "2026-01-01", 0, "2026-01-01T15:00:00Z"},
        {"Europe/Berlin", "2026-03-27", 0, "2026-03-27T23:00:00Z"}, /* UTC+1; UTC+2 from 2026-03-29, 01:00 UTC, */
        {"Europe/Berlin", "2026-03-28", 0, "2026-03-28T23:00:00Z"},
        {"Europe/Berlin", "2026-03-29", 0, "2026-03-29T22:00:00Z"},
        {"Europe/Berlin", "2026-10-24", 0, "2026-10-24T22:00:00Z"}, /* to 2026-10-25, 01:00 UTC */
        {"Europe/Berlin", "2026-10-25", 0, "2026-10-25T23:00:00Z"},
        {"America/New_York", "2026-03-07", 0, "2026-03-08T05:00:00Z"}, /* UTC-5; UTC-4 from 2026-03-08, 07:00 UTC, */
        {"America/New_York", "2026-03-08", 0, "2026-03-09T04:00:00Z"},
        {"America/New_York", "2026-10-31", 0, "2026-11-01T04:00:00Z"}, /* to 2026-11-01, 06:00 UTC */
        {"America/New_York", "2026-11-01", 0, "2026-11-02T05:00:00Z"},
        /* Midnight is not there: 01:00 follows. */
        {"America/Sao_Paulo", "2017-10-13", 0, "2017-10-14T03:00:00Z"},
        {"America/Sao_Paulo", "2017-10-14", 0, "2017-10-15T03:00:00Z"},
        {"America/Sao_Paulo", "2017-10-15", 0, "2017-10-16T02:00:00Z"},
        {"Asia/Beirut", "2027-03-27", 0, "2027-03-27T22:00:00Z"}, /* UTC+2; UTC+3 from 2027-03-28 on */
        {"Asia/Beirut", "2027-03-28", 0, "2027-03-28T21:00:00Z"},
        /* 23:00 comes twice. */
        {"America/Sao_Paulo", "2018-02-17", 0, "2018-02-18T03:00:00Z"},
        {"Asia/Beirut", "2027-10-30", 0, "2027-10-30T22:00:00Z"},
        {"Asia/Beirut", "2027-10-29", 0, "2027-10-29T21:00:00Z"},
        /* Leap days. */
        {NULL, "2028-02-28", 0, "2028-02-29T00:00:00Z"},
        {NULL, "2028-02-29", 0, "2028-03-01T00:00:00Z"},
        {"Asia/Tokyo", "2028-02-28", 0, "2028-02-28T15:00:00Z"},
        {"Asia/Tokyo", "2028-02-29", 0, "2028-02-29T15:00:00Z"},
        {NULL, "2027-02-28", 0, "2027-03-01T00:00:00Z"},
        {NULL, "2027-02-28", 365, "2028-02-29T00:00:00Z"},
        {NULL, "2027-02-28", 366, "2028-03-01T00:00:00Z"},
        /* The end of a year. */
        {NULL, "2026-12-31", 0, "2027-01-01T00:00:00Z"},
        {"Asia/Tokyo", "2026-12-31", 0, "2026-12-31T15:00:00Z"},
        {"Europe/Berlin", "2026-12-31", 0, "2026-12-31T23:00:00Z"},
        {"America/New_York", "2026-12-31", 0, "2027-01-01T05:00:00Z"},
        /* And more days, which are not 24 hours each. */
        {NULL, "2026-12-31", 30, "2027-01-31T00:00:00Z"},
        {"Asia/Tokyo", "2026-12-31", 366, "2028-01-01T15:00:00Z"},
        {"Europe/Berlin", "2026-03-28", 1, "2026-03-29T22:00:00Z"},
        {"Europe/Berlin", "2026-03-01", 240, "2026-10-27T23:00:00Z"},
        {"Europe/Berlin", "2026-09-25", 30, "2026-10-25T23:00:00Z"},
        {"America/New_York", "2026-10-31", 1, "2026-11-02T05:00:00Z"},
};

static uint64_t at(const char *text)
{
    uint64_t wall;
    cr_assert_eq(sk_time_parse(sk_slice_str(text), &wall), 0, "%s", text);
    return wall;
}

static void expect(size_t i, const char *when)
{
    uint64_t wall;
    char text[32];
    cr_assert_eq(sk_conf_day_over(of[i].day, of[i].more, of[i].zone, &wall), 0, "%s in %s", of[i].day, of[i].zone);
    sk_time_text(wall, text);
    cr_assert_eq(wall, at(of[i].over), "%s and %lu in %s are over at %s, not %s%s", of[i].day, (unsigned long)of[i].more, of[i].zone ? of[i].zone : "UTC",
            of[i].over, text, when);
}

TestSuite(conf_contract, .timeout = 120);

Test(conf_contract, a_day_is_over_when_midnight_comes_in_its_zone)
{
    for (size_t i = 0; i < SK_COUNT(of); i++) {
        expect(i, "");
    }
}

/* libc remembers how far the last zone was from UTC, and guesses by it. */
Test(conf_contract, it_is_over_then_whatever_was_asked_before)
{
    for (size_t i = 0; i < SK_COUNT(of); i++) {
        for (size_t j = 0; j < SK_COUNT(of); j++) {
            uint64_t ignored;
            cr_assert_eq(sk_conf_day_over(of[i].day, of[i].more, of[i].zone, &ignored), 0);
            expect(j, of[i].day);
        }
    }
}

Test(conf_contract, the_environments_zone_is_of_no_account_and_stays)
{
    static const char *const zones[] = {NULL, "", "Asia/Tokyo", "America/New_York", "nonsense"};
    for (size_t i = 0; i < SK_COUNT(zones); i++) {
        uint64_t ignored;
        time_t now = 1785000000;
        struct tm before, after;
        cr_assert_eq(zones[i] ? setenv("TZ", zones[i], 1) : unsetenv("TZ"), 0);
        tzset();
        cr_assert_not_null(localtime_r(&now, &before));
        for (size_t j = 0; j < SK_COUNT(of); j++) {
            expect(j, zones[i]);
        }
        cr_expect_eq(sk_conf_day_over("2027-02-29", 0, "Europe/Berlin", &ignored), 1);
        cr_expect_eq(sk_conf_day_over("2027-02-28", 0, "Europe/Nowhere", &ignored), 1);
        const char *zone = getenv("TZ");
        cr_expect(zones[i] ? zone && strcmp(zone, zones[i]) == 0 : !zone, "%s", zone);
        cr_assert_not_null(localtime_r(&now, &after));
        cr_expect(before.tm_hour == after.tm_hour && before.tm_gmtoff == after.tm_gmtoff && timezone == -(after.tm_gmtoff - 3600 * after.tm_isdst));
    }
}

Test(conf_contract, what_is_no_day_is_refused)
{
    static const char *const none[] = {"", "2027-02-29", "2100-02-29", "2026-02-30", "2026-04-31", "2026-12-32", "2026-13-01", "2026-00-10", "2026-12-00",
            "2026-1-1", "26-12-31", "2026/12/31", "20261231", "31.12.2026",
            " 2026-12-31", "2026-12-31 ", "2026-12-31T00:00:00Z", "2026-12-31Z", "-026-12-31", "1969-12-31", "1970-01-01", "9999-12-31", "0000-00-00",
            "tomorrow", "never"};
    for (size_t i = 0; i < SK_COUNT(none); i++) {
        uint64_t ignored;
        cr_expect_eq(sk_conf_day_over(none[i], 0, NULL, &ignored), 1, "'%s'", none[i]);
        cr_expect_eq(sk_conf_day_over(none[i], 0, "Europe/Berlin", &ignored), 1, "'%s'", none[i]);
    }
}

Test(conf_contract, what_is_no_zone_is_refused)
{
    static const char *const none[] = {"", "Asia", "Asia/", "Asia/Nowhere", "asia/tokyo", "Tokyo", "Asia/Tokyo ", " Asia/Tokyo", ":Asia/Tokyo", "JST-9",
            "UTC0", "<+09>-9", "CET-1CEST,M3.5.0,M10.5.0/3", "/usr/share/zoneinfo/Asia/Tokyo",
            "//usr/share/zoneinfo/Asia/Tokyo", "/Asia/Tokyo", "/UTC", "/etc/localtime", "../zoneinfo/Asia/Tokyo", "Asia/../Asia/Tokyo", "./../zoneinfo/UTC",
            "..", "../../../etc/localtime"};
    char name[300];
    uint64_t ignored;
    for (size_t i = 0; i < SK_COUNT(none); i++) {
        cr_expect_eq(sk_conf_day_over("2026-12-31", 0, none[i], &ignored), 1, "'%s'", none[i]);
    }
    for (size_t len = 90; len < sizeof(name) - 2; len++) {
        memset(name, '/', len);
        memcpy(name, "Asia", 4);
        memcpy(name + len - 5, "Tokyo", 6);
        cr_expect(sk_conf_day_over("2026-12-31", 0, name, &ignored) == 1 || ignored == at("2026-12-31T15:00:00Z"), "%zu bytes", len);
        memcpy(name + len, "X", 2);
        cr_expect_eq(sk_conf_day_over("2026-12-31", 0, name, &ignored), 1, "%zu bytes and one more, which is not cut off", len);
    }
}

/* What stands beside the zones in their folder. */
Test(conf_contract, a_file_that_is_no_zone_is_none)
{
    static const char *const none[] = {"zone.tab", "zone1970.tab", "iso3166.tab", "tzdata.zi", "leapseconds"};
    for (size_t i = 0; i < SK_COUNT(none); i++) {
        uint64_t ignored;
        cr_expect_eq(sk_conf_day_over("2026-12-31", 0, none[i], &ignored), 1, "%s", none[i]);
    }
}

/* In Havana 00:00 comes twice on 2026-11-01: at 04:00 UTC the day before is over; an hour later clocks are set back to it. */
Test(conf_contract, a_midnight_that_comes_twice_is_the_first_whatever_was_asked_before)
{
    static const char *const before[] = {"2026-07-31", "2026-12-31"};
    for (size_t i = 0; i < SK_COUNT(before); i++) {
        uint64_t wall;
        cr_assert_eq(sk_conf_day_over(before[i], 0, "America/Havana", &wall), 0);
        cr_assert_eq(sk_conf_day_over("2026-10-31", 0, "America/Havana", &wall), 0);
        cr_expect_eq(wall, at("2026-11-01T04:00:00Z"), "after %s", before[i]);
    }
}

/* 2554-07-21, 23:34:33 UTC, is the last second that has so many ns. */
Test(conf_contract, a_day_that_is_over_when_no_clock_says_it_is_refused_and_not_over_already)
{
    uint64_t wall;
    cr_expect_eq(sk_conf_day_over("2554-07-20", 0, NULL, &wall), 0);
    cr_expect_eq(wall, at("2554-07-21T00:00:00Z"));
    cr_expect_eq(sk_conf_day_over("2554-07-21", 0, NULL, &wall), 1);
    cr_expect_eq(sk_conf_day_over("2554-07-01", 366, NULL, &wall), 1);
}

/* ---- a tenant's ---- */

static struct sk_conf_service services[] = {{.name = "mail"}, {.name = "dns", .zone = "Asia/Tokyo", .recovery_days = 30},
        {.name = "web", .zone = "Europe/Berlin", .recovery_days = 1}, {.name = "ftp", .recovery_days = 366}};
static const struct sk_conf conf = {.services = services, .services_count = SK_COUNT(services)};

static void expect_contract(const char *service, const char *ends, const char *over, const char *recoverable)
{
    struct sk_conf_tenant tenant = {.service = service, .contract = {.ends = ends}};
    uint64_t until = 7;
    cr_expect_eq(sk_conf_contract_over(&conf, &tenant, &until), over ? at(over) : UINT64_MAX, "%s of %s", ends, service);
    cr_expect_eq(until, recoverable ? at(recoverable) : 0, "%s of %s", ends, service);
}

Test(conf_contract, a_contract_is_over_in_its_services_zone_and_recoverable_for_its_days)
{
    expect_contract("dns", "2026-12-31", "2026-12-31T15:00:00Z", "2027-01-30T15:00:00Z");
    expect_contract("web", "2026-03-28", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z");
    expect_contract("ftp", "2026-12-31", "2027-01-01T00:00:00Z", "2028-01-02T00:00:00Z");
    expect_contract("mail", "2026-12-31", "2027-01-01T00:00:00Z", NULL);
    expect_contract("none", "2026-12-31", "2027-01-01T00:00:00Z", NULL);
}

Test(conf_contract, one_without_an_end_is_never_over)
{
    expect_contract("dns", NULL, NULL, NULL);
    expect_contract("mail", NULL, NULL, NULL);
    expect_contract("none", NULL, NULL, NULL);
}
