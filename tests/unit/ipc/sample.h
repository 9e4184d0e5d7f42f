/* A small interface between a client and a server, as the real ones are written: for the tests of codec and channel. */
#pragma once

#include "ipc/interface.h"

enum { CLIENT = 1, SERVER = 2 };

#define SAMPLE_ALL(U, I, T) U(first) I(id) T(name, 8) T(body, 60000) U(last)
#define SAMPLE_TEXT(U, I, T) T(text, 20)
#define SAMPLE_LONG(U, I, T) T(one, 40000) T(two, 40000)
#define SAMPLE_NONE(U, I, T)

#define SAMPLE_MESSAGES(M)                                                                                   \
    M(ALL, all, 0x0201, CLIENT, 0, SAMPLE_ALL)                                                               \
    M(NOTE, note, 2, CLIENT | SERVER, 0, SAMPLE_TEXT)                                                        \
    M(REPLY, reply, 3, SERVER, 0, SAMPLE_TEXT)                                                               \
    M(EMPTY, empty, 4, CLIENT | SERVER, 0, SAMPLE_NONE)                                                      \
    M(ONE_FD, one_fd, 5, CLIENT | SERVER, 1, SAMPLE_TEXT)                                                    \
    M(FDS, fds, 6, CLIENT | SERVER, SK_IPC_FDS_MAX, SAMPLE_NONE)                                             \
    M(LONG, long, 0xffff, CLIENT, 0, SAMPLE_LONG)

SK_IPC_DECLARE(sample, SAMPLE_MESSAGES)
SK_IPC_DEFINE(sample, SAMPLE_MESSAGES)
