/* The journal's files in their folder, as whoever reads them from there finds them. */
#pragma once

#include "sekisho/error.h"
#include "sekisho/slice.h"

/* Their numbers, ascending; owned by the caller. 0 or negative. */
int files_list(int folder, uint64_t **numbers, size_t *count) sk_nodiscard;
/* Maps a file whole, read-only. 0 or negative, with the null slice. */
int files_map(int folder, uint64_t number, struct sk_slice *bytes) sk_nodiscard;
/* Reads it from one place to another, or to its end, so that a bad sector is an error, and not the end of whoever looks at a mapping. 0 or negative. */
int files_read_through(int fd, uint64_t from, uint64_t to) sk_nodiscard;
void files_unmap(struct sk_slice bytes);
