/* Writes sekisho-events(7) from the catalogue of the log: the build runs it, so that the page says what the header says. */
#include "sekisho/event-ids.h"

#include <stdio.h>

static const char head[] =
        ".TH SEKISHO\\-EVENTS 7 \"2026-11-26\" \"Sekisho 0.1\" \"Sekisho\"\n"
        ".SH NAME\n"
        "sekisho\\-events \\- every event of the gateway's log\n"
        ".SH DESCRIPTION\n"
        ".BR sekishod (8)\n"
        "and its processes log to standard error, one JSON object a line:\n"
        ".B id\n"
        "of the event first, then\n"
        ".BR time \", \" level \", \" program \", \" pid \" and \" text ,\n"
        "then facts of this one case. An id keeps its meaning in every version and is never used again for something else: it is\n"
        "what an alarm should look for. The level says who is concerned:\n"
        ".TP\n"
        ".B INFO\n"
        "Nobody; it tells what goes on.\n"
        ".TP\n"
        ".B WARN\n"
        "The gateway helps itself; look at it when it comes often.\n"
        ".TP\n"
        ".B ERROR\n"
        "Somebody should look at once.\n"
        ".PP\n"
        "Nothing secret and nothing about a person is logged. Who did what is in the journal,\n"
        ".BR \"sekisho journal show\" .\n"
        "DATA below is the folder\n"
        ".B data\n"
        "of\n"
        ".BR sekisho.yaml (5).\n"
        ".SH EVENTS\n";

static const char foot[] =
        ".SH SEE ALSO\n"
        ".BR sekishod (8),\n"
        ".BR sekisho.yaml (5),\n"
        ".BR sekisho (1),\n"
        ".BR sekisho-verify (1)\n";

static const struct {
    const char *id, *level, *text, *help;
} events[] = {
#define X(name, id, level, text, help) {id, #level, text, help},
        SK_EVENTS(X)
#undef X
};

int main(void)
{
    (void)fputs(head, stdout);
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        (void)printf(".TP\n.BR %s \" %s \" \"%s\"\n%s\n", events[i].id, events[i].level, events[i].text, events[i].help);
    }
    return fputs(foot, stdout) < 0 || fflush(stdout) != 0;
}
