/* HTTP/1.1 from a hostile client. */
#include "server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_server(SK_HTTP1, data, size);
    return 0;
}
