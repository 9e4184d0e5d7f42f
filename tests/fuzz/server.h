/* What the fuzzers of both server protocols share: an answerer whose every choice comes from the input. */
#pragma once

#include "http/server.h"

/* Feeds `size` bytes in steps; the first two bytes choose how to answer and how to cut. */
void fuzz_server(enum sk_protocol protocol, const uint8_t *data, size_t size);
