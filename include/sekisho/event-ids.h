/*
 * Every line of the product log by its stable id, with the text that explains it. The log prints id, level and text;
 * facts follow as fields. An id is never used again for something else.
 */
#pragma once

/* X(name, id, level, text) */
#define SK_EVENTS(X)                                                                                         \
    X(STARTED, "SK1001", INFO, "program started")                                                            \
    X(STOPPING, "SK1002", INFO, "stopping: open requests are finished, new ones refused")                    \
    X(STOPPED, "SK1003", INFO, "program stopped")                                                            \
    X(CHILD_DIED, "SK1004", ERROR, "a process died and is started again")                                    \
    X(CHILD_HELD, "SK1005", ERROR, "a process dies again and again: its next start waits")                   \
    X(READY, "SK1006", INFO, "the gate is open")                                                             \
    X(SHUT, "SK1007", WARN, "the gate is shut: a process it cannot do without is away")                      \
    X(CONFIG_REFUSED, "SK1101", ERROR, "configuration refused: nothing was changed")                         \
    X(CONFIG_LOADED, "SK1102", INFO, "configuration loaded")                                                 \
    X(LISTENING, "SK1103", INFO, "listening")                                                                \
    X(SANDBOX_PARTIAL, "SK1201", WARN, "this kernel lacks a part of the sandbox")                            \
    X(PEER_ENDED, "SK1202", WARN, "a peer process closed its channel")                                       \
    X(PEER_BAD, "SK1203", ERROR, "a peer process sent a message it may not send")                            \
    X(UPSTREAM_DOWN, "SK1301", WARN, "an upstream address is out of service")                                \
    X(UPSTREAM_UP, "SK1302", INFO, "an upstream address is in service")                                      \
    X(JOURNAL_OPENED, "SK1401", INFO, "journal opened")                                                      \
    X(JOURNAL_TORN, "SK1402", WARN, "journal: an unfinished group at the end was dropped; it was never acknowledged") \
    X(JOURNAL_DAMAGED, "SK1403", ERROR, "journal damaged: the gate stays shut")                              \
    X(JOURNAL_FAILED, "SK1404", ERROR, "journal cannot be written: the gate is shut")                        \
    X(JOURNAL_BACK, "SK1405", INFO, "journal is written again")                                              \
    X(STORE_FAILED, "SK1501", ERROR, "store operation failed")                                               \
    X(STORE_NEWER, "SK1502", ERROR, "the store was written by a newer version")                              \
    X(PAM_FAILED, "SK1601", WARN, "PAM could not be asked")                                                  \
    X(FATAL, "SK1901", ERROR, "fatal: the process ends")

enum sk_event {
#define X(name, id, level, text) SK_EVENT_##name,
    SK_EVENTS(X)
#undef X
};
