/* Rows. */
#include "row.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool row_json;

void row(const char *what, double value, const char *unit, double aim, bool below)
{
    bool met = below ? value <= aim : value >= aim;
    if (row_json) {
        (void)printf("{\"what\":\"%s\",\"value\":%.4g,\"unit\":\"%s\"", what, value, unit);
        (void)printf(aim > 0 ? ",\"aim\":%.4g,\"met\":%s}\n" : "}\n", aim, met ? "true" : "false");
    } else if (aim > 0) {
        (void)printf("%-56s %12.4g %-10s aim %s %.4g: %s\n", what, value, unit, below ? "<=" : ">=", aim, met ? "met" : "not met");
    } else {
        (void)printf("%-56s %12.4g %s\n", what, value, unit);
    }
    (void)fflush(stdout);
}

double seconds(uint64_t since)
{
    return (double)(sk_clock_boot() - since) / 1e9;
}

int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void die(const char *what)
{
    (void)fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

void die_unless(bool holds, const char *what)
{
    if (!holds) {
        die(what);
    }
}
