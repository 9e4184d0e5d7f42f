/* HTTP/2 from a hostile client. The preface is given, so that no run is lost on it. */
#include "server.h"

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t bytes[65536];
    if (size >= 2 && size <= sizeof(bytes) - 64) {
        memcpy(bytes, data, 2);
        memcpy(bytes + 2, PREFACE, sizeof(PREFACE) - 1);
        memcpy(bytes + 2 + sizeof(PREFACE) - 1, data + 2, size - 2);
        fuzz_server(SK_HTTP2, bytes, size + sizeof(PREFACE) - 1);
    }
    return 0;
}
