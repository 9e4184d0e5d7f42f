/*
 * The error convention of every function in this tree that returns int.
 *
 *   0          success, and the only value that ever means "go on" or "admit"
 *   negative   -errno: something is broken; pass it upward untouched
 *   positive   an outcome named in that function's own header; the caller must handle each
 *
 * An object is valid from its *_INIT or its *_new; every *_free takes NULL and returns NULL.
 */
#pragma once

#include <stddef.h>

#define sk_nodiscard __attribute__((warn_unused_result))
#define sk_unused __attribute__((unused))
/* Every other variable starts as zeros (-ftrivial-auto-var-init); a large buffer on a busy path that is written before
 * it is read need not. */
#define sk_uninitialized __attribute__((uninitialized))
#define SK_CLEANUP(function) __attribute__((cleanup(function)))
#define SK_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SK_CONTAINER(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))
