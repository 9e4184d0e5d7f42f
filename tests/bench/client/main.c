/*
 * The benchmark's load generator: HTTP/1.1 GETs over TLS 1.3, every connection with a server name (SNI and
 * Host) of its own choice, which neither wrk nor h2load can do and which a multi-tenant gateway needs.
 *
 *   client MODE --address IP:PORT --hosts FILE --path PATH --authorization VALUE
 *          [--connections N] [--threads N] [--warmup SECONDS] [--seconds SECONDS] [--limit SECONDS]
 *
 *   keepalive   requests one after another on N connections
 *   full        connect, full handshake, one GET, close; N at a time
 *   resumed     the same with the ticket of the connection before
 *   idle        N connections, one GET each, then held open and silent
 *
 * Protocol with the caller: the line "start" when the measured time begins (all connections have had an
 * answer and the warm-up is over), one line of JSON when it ends, then nothing is closed before the end of
 * standard input, so that the caller can read the server's counters in between. In `idle` both lines come
 * when all connections stand. Strict on purpose: any answer but a 200 with Content-Length ends the run with
 * status 1, because the cost of a request that failed says nothing. SIGALRM ends the program after --limit
 * seconds whatever happens.
 */
#include "conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 64, HOSTS_MAX = 65536, CONNECTIONS_MAX = 16384, THREADS_MAX = 64 };

static void pause_ms(unsigned ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000L};
    nanosleep(&t, NULL);
}

/* ---- threads ---- */

static void *work(void *argument)
{
    struct worker *w = argument;
    struct shared *shared = w->shared;
    for (size_t i = 0; i < w->count; i++)
        if (conn_open(&w->conns[i]) < 0)
            return NULL;
    while (atomic_load(&shared->phase) != PHASE_STOPPED && !atomic_load(&shared->failed)) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(w->epoll, events, EVENTS, 10);
        for (int i = 0; i < count && atomic_load(&shared->phase) != PHASE_STOPPED; i++)
            if (conn_drive(events[i].data.ptr) < 0)
                return NULL;
    }
    return NULL;
}

static int worker_init(struct worker *w, struct shared *shared, size_t first, size_t count)
{
    const struct options *options = &shared->options;
    w->shared = shared;
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    w->conns = calloc(count ? count : 1, sizeof *w->conns);
    if (w->epoll < 0 || !w->conns)
        return -1;
    for (; w->count < count; w->count++)
        if (conn_init(&w->conns[w->count], w, options->hosts[(first + w->count) % options->host_count]) < 0)
            return -1;
    return 0;
}

static void worker_free(struct worker *w)
{
    for (size_t i = 0; i < w->count; i++)
        conn_free(&w->conns[i]);
    free(w->conns);
    free(w->samples);
    if (w->epoll >= 0)
        close(w->epoll);
}

/* ---- the run ---- */

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t percentile(const uint32_t *sorted, size_t count, size_t percent)
{
    return count ? sorted[(count - 1) * percent / 100] : 0;
}

static int report(struct worker *workers, size_t count, double seconds)
{
    size_t total = 0;
    uint64_t bytes = 0;
    uint64_t resumed = 0;
    uint64_t reconnects = 0;
    for (size_t i = 0; i < count; i++) {
        total += workers[i].sample_count;
        bytes += workers[i].body_bytes;
        resumed += workers[i].resumed;
        reconnects += workers[i].reconnects;
    }
    uint32_t *all = calloc(total ? total : 1, sizeof *all);
    if (!all)
        return -1;
    for (size_t i = 0, at = 0; i < count; at += workers[i].sample_count, i++)
        if (workers[i].sample_count)
            memcpy(all + at, workers[i].samples, workers[i].sample_count * sizeof *all);
    qsort(all, total, sizeof *all, compare);
    printf("{\"requests\": %zu, \"seconds\": %.6f, \"bytes\": %llu, \"resumed\": %llu, \"reconnects\": %llu, "
           "\"p50_us\": %u, \"p99_us\": %u}\n",
            total, seconds, (unsigned long long)bytes, (unsigned long long)resumed,
            (unsigned long long)reconnects, percentile(all, total, 50), percentile(all, total, 99));
    fflush(stdout);
    free(all);
    return 0;
}

/* Waits until `until_ns`, or for ever when 0 until all connections have had an answer; false when a thread
 * failed. */
static bool wait_for(struct shared *shared, uint64_t until_ns)
{
    for (;;) {
        if (atomic_load(&shared->failed))
            return false;
        if (until_ns ? now_ns() >= until_ns : atomic_load(&shared->ready) == shared->options.connections)
            return true;
        pause_ms(1);
    }
}

static double measure(struct shared *shared)
{
    const struct options *options = &shared->options;
    if (!wait_for(shared, 0) || !wait_for(shared, now_ns() + (uint64_t)(options->warmup * 1e9)))
        return 0;
    puts("start");
    fflush(stdout);
    if (options->mode == MODE_IDLE)
        return 0;
    uint64_t begin = now_ns();
    atomic_store(&shared->phase, PHASE_MEASURING);
    wait_for(shared, begin + (uint64_t)(options->seconds * 1e9));
    atomic_store(&shared->phase, PHASE_STOPPED);
    return (double)(now_ns() - begin) / 1e9;
}

static void wait_for_caller(void)
{
    char buffer[256];
    while (read(STDIN_FILENO, buffer, sizeof buffer) > 0)
        continue;
}

static int run(struct shared *shared, struct worker *workers)
{
    const struct options *options = &shared->options;
    for (size_t i = 0; i < options->threads; i++)
        workers[i].epoll = -1;
    size_t first = 0;
    for (size_t i = 0; i < options->threads; i++) {
        size_t count =
                options->connections / options->threads + (i < options->connections % options->threads);
        if (worker_init(&workers[i], shared, first, count) < 0) {
            fail(shared, "out of memory or descriptors");
            return 1;
        }
        first += count;
    }
    size_t running = 0;
    for (; running < options->threads; running++)
        if (pthread_create(&workers[running].thread, NULL, work, &workers[running]) != 0) {
            fail(shared, "cannot start a thread");
            break;
        }
    double seconds = measure(shared);
    if (options->mode == MODE_IDLE && !atomic_load(&shared->failed)) {
        /* The threads go on watching, so that a server that drops idle connections is noticed. */
        if (report(workers, options->threads, 0) < 0)
            fail(shared, "out of memory");
        wait_for_caller();
    }
    atomic_store(&shared->phase, PHASE_STOPPED);
    for (size_t i = 0; i < running; i++)
        pthread_join(workers[i].thread, NULL);
    if (atomic_load(&shared->failed))
        return 1;
    if (options->mode != MODE_IDLE) {
        if (report(workers, options->threads, seconds) < 0)
            fail(shared, "out of memory");
        wait_for_caller();
    }
    return atomic_load(&shared->failed);
}

/* ---- the command line ---- */

static void usage(void)
{
    fputs("usage: client keepalive|full|resumed|idle --address IP:PORT --hosts FILE --path PATH\n"
          "              --authorization VALUE [--certificate FILE] [--connections N] [--threads N] [--warmup S] [--seconds S] "
          "[--limit S]\n",
            stderr);
    exit(2);
}

static unsigned long number(const char *text, unsigned long low, unsigned long high)
{
    char *end = NULL;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || value < low || value > high) {
        fprintf(stderr, "client: %s is not a number from %lu to %lu\n", text, low, high);
        exit(2);
    }
    return value;
}

static double seconds_of(const char *text)
{
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= 0 && value <= 3600)) {
        fprintf(stderr, "client: %s is not a time from 0 to 3600 seconds\n", text);
        exit(2);
    }
    return value;
}

static enum mode mode_of(const char *text)
{
    static const char *const names[] = {"keepalive", "full", "resumed", "idle"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(text, names[i]) == 0)
            return (enum mode)i;
    usage();
    return MODE_KEEPALIVE;
}

static struct sockaddr_in address_of(char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    char *colon = strrchr(text, ':');
    if (!colon)
        usage();
    *colon = '\0';
    address.sin_port = htons((uint16_t)number(colon + 1, 1, 65535));
    if (inet_pton(AF_INET, text, &address.sin_addr) != 1)
        usage();
    return address;
}

/* One host on each line. The list lives as long as the program. */
static void read_hosts(struct options *options, const char *file)
{
    FILE *in = fopen(file, "re");
    options->hosts = calloc(HOSTS_MAX, sizeof *options->hosts);
    if (!in || !options->hosts) {
        fprintf(stderr, "client: %s: %s\n", file, strerror(errno));
        exit(2);
    }
    char *line = NULL;
    size_t room = 0;
    while (options->host_count < HOSTS_MAX && getline(&line, &room, in) > 0) {
        line[strcspn(line, "\r\n")] = '\0';
        if (*line && !(options->hosts[options->host_count++] = strdup(line)))
            abort();
    }
    free(line);
    fclose(in);
}

static void parse(struct options *options, int argc, char **argv)
{
    static const struct option names[] = {{"address", 1, NULL, 'a'}, {"hosts", 1, NULL, 'h'},
            {"path", 1, NULL, 'p'}, {"authorization", 1, NULL, 'b'}, {"certificate", 1, NULL, 'e'}, {"connections", 1, NULL, 'c'},
            {"threads", 1, NULL, 't'}, {"warmup", 1, NULL, 'w'}, {"seconds", 1, NULL, 's'},
            {"limit", 1, NULL, 'l'}, {NULL, 0, NULL, 0}};
    *options = (struct options){
            .path = "/", .connections = 64, .threads = 1, .warmup = 1, .seconds = 5, .limit = 120};
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (c) {
        case 'a':
            options->address = address_of(optarg);
            break;
        case 'h':
            read_hosts(options, optarg);
            break;
        case 'p':
            options->path = optarg;
            break;
        case 'b':
            options->authorization = optarg;
            break;
        case 'e':
            options->certificate = optarg;
            break;
        case 'c':
            options->connections = number(optarg, 1, CONNECTIONS_MAX);
            break;
        case 't':
            options->threads = number(optarg, 1, THREADS_MAX);
            break;
        case 'w':
            options->warmup = seconds_of(optarg);
            break;
        case 's':
            options->seconds = seconds_of(optarg);
            break;
        case 'l':
            options->limit = (unsigned)number(optarg, 1, 3600);
            break;
        default:
            usage();
        }
    }
    if (optind + 1 != argc || !options->address.sin_port || !options->host_count || !options->authorization)
        usage();
    options->mode = mode_of(argv[optind]);
    if (options->threads > options->connections)
        options->threads = options->connections;
}

int main(int argc, char **argv)
{
    static struct shared shared;
    parse(&shared.options, argc, argv);
    signal(SIGPIPE, SIG_IGN);
    alarm(shared.options.limit);
    shared.tls = conn_tls(&shared.options);
    struct worker *workers = calloc(shared.options.threads, sizeof *workers);
    if (!shared.tls || !workers) {
        fputs("client: cannot set up TLS\n", stderr);
        return 1;
    }
    int status = run(&shared, workers);
    if (status)
        fprintf(stderr, "client: %s\n", shared.error);
    for (size_t i = 0; i < shared.options.threads; i++)
        worker_free(&workers[i]);
    free(workers);
    SSL_CTX_free(shared.tls);
    return status;
}
