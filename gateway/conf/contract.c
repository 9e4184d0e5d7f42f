/* When contracts end. Pure, but for the system's database of zones. */
#include "conf/conf.h"

#include "base/clock.h"
#include "base/text.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ZONES "/usr/share/zoneinfo/"

/* libc takes a name that it does not know for UTC, and a file that is none (RFC 9636) as well. */
static bool is_zone(const char *zone)
{
    char path[128], magic[4] = "";
    bool plain = zone[0] && zone[0] != '/' && !strstr(zone, "..") && (size_t)snprintf(path, sizeof(path), ZONES "%s", zone) < sizeof(path);
    int fd = plain ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    bool is = fd >= 0 && read(fd, magic, sizeof(magic)) == sizeof(magic) && memcmp(magic, "TZif", sizeof(magic)) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return is;
}

/* The beginning of that day by local time: of the two that there are when clocks are set back over midnight the first. */
static time_t begins(const struct tm *day)
{
    time_t first = -1;
    for (int dst = 1; dst >= -1; dst--) {
        struct tm tm = *day, again;
        tm.tm_isdst = dst;
        time_t at = mktime(&tm);
        bool is = at >= 0 && localtime_r(&at, &again) && again.tm_mday == tm.tm_mday && again.tm_hour == 0 && again.tm_min == 0;
        first = (is || dst < 0) && (first < 0 || at < first) ? at : first; /* a midnight that there is not is what libc makes of it */
    }
    return first;
}

int sk_conf_day_over(const char *day, uint64_t more, const char *zone, uint64_t *wall)
{
    struct tm tm;
    if ((zone && !is_zone(zone)) || strlen(day) != 10 || sk_time_parse(sk_slice_str(day), wall)) {
        return 1;
    }
    time_t utc = (time_t)(*wall / SK_SECOND);
    const char *before = getenv("TZ");
    char *kept = before ? strdup(before) : NULL;
    (void)gmtime_r(&utc, &tm);
    (void)setenv("TZ", zone ? zone : "UTC", 1);
    tzset();
    tm.tm_mday += 1 + (int)more;
    time_t over = begins(&tm);
    (void)(kept ? setenv("TZ", kept, 1) : unsetenv("TZ"));
    tzset();
    free(kept);
    bool is = over >= 0 && (uint64_t)over <= UINT64_MAX / SK_SECOND;
    *wall = is ? (uint64_t)over * SK_SECOND : 0;
    return !is;
}

uint64_t sk_conf_contract_over(const struct sk_conf *conf, const struct sk_conf_tenant *tenant, uint64_t *recoverable)
{
    uint64_t wall, days = 0;
    const char *zone = NULL, *ends = tenant->contract.ends;
    *recoverable = 0;
    for (unsigned i = 0; i < conf->services_count; i++) {
        if (strcmp(conf->services[i].name, tenant->service) == 0) {
            zone = conf->services[i].zone;
            days = conf->services[i].recovery_days;
        }
    }
    if (!ends || sk_conf_day_over(ends, 0, zone, &wall) || (days && sk_conf_day_over(ends, days, zone, recoverable))) {
        return UINT64_MAX;
    }
    return wall;
}
