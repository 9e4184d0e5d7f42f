/* Rows of figures, and what making them needs. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

extern bool row_json; /* one JSON object a row */

/* `aim` 0: none; `below`: less is better. */
void row(const char *what, double value, const char *unit, double aim, bool below);
/* Whatever fails ends the benchmark with a word. */
void die(const char *what) __attribute__((noreturn));
void die_unless(bool holds, const char *what);
/* Since that boot time. */
double seconds(uint64_t since);
int compare_doubles(const void *a, const void *b);
