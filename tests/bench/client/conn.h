/* What the benchmark's client is made of; main.c says what it does. */
#ifndef BENCH_CLIENT_CONN_H
#define BENCH_CLIENT_CONN_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

enum { HEAD_MAX = 4096 };
enum mode { MODE_KEEPALIVE, MODE_FULL, MODE_RESUMED, MODE_IDLE };
enum phase { PHASE_WARMING, PHASE_MEASURING, PHASE_STOPPED };
enum state { STATE_HANDSHAKE, STATE_WRITING, STATE_READING, STATE_HELD };

struct options {
    enum mode mode;
    struct sockaddr_in address;
    char **hosts;
    size_t host_count;
    const char *path;
    const char *authorization;
    const char *certificate; /* PEM: the client's chain and its key; NULL: it shows none */
    size_t connections;
    size_t threads;
    double warmup;
    double seconds;
    unsigned limit;
};

/* What all threads see. `error` is written once, by the thread that sets `failed`, and read after they have
 * joined. */
struct shared {
    struct options options;
    SSL_CTX *tls;
    atomic_int phase;
    atomic_size_t ready; /* connections that have had their first answer */
    atomic_bool failed;
    char error[256];
};

struct conn {
    struct worker *worker;
    const char *host;
    char *request;
    size_t request_length;
    SSL *ssl;
    SSL_SESSION *session; /* newest ticket, only in MODE_RESUMED */
    int fd;
    enum state state;
    bool counted;  /* in shared.ready */
    size_t served; /* answers on this connection */
    uint64_t started_ns;
    size_t head_length;
    bool head_done;
    bool close_after;
    uint64_t body_left;
    char head[HEAD_MAX];
};

struct worker {
    struct shared *shared;
    pthread_t thread;
    struct conn *conns;
    size_t count;
    int epoll;
    uint32_t *samples; /* microseconds, one for each answer in the measured time */
    size_t sample_count;
    size_t sample_room;
    uint64_t body_bytes;
    uint64_t resumed;
    uint64_t reconnects;
};

/* Microseconds do for latencies; nanoseconds keep the sums exact. */
uint64_t now_ns(void);

/* Ends the run; the first message wins. */
__attribute__((format(printf, 2, 3))) void fail(struct shared *shared, const char *format, ...);

/* Prepares a connection that is not open yet; -1 when out of memory. */
int conn_init(struct conn *c, struct worker *worker, const char *host);

/* Starts the TCP connection; the rest happens in conn_drive. -1 after fail(). */
int conn_open(struct conn *c);

/* Goes as far as possible without waiting, into the next request or connection too. -1 after fail(). */
int conn_drive(struct conn *c);

/* Also for a connection that conn_init did not finish. */
void conn_free(struct conn *c);

/* A client context for TLS 1.3; NULL when OpenSSL cannot. */
SSL_CTX *conn_tls(const struct options *options);

#endif
