/* Options of a sanitizer build. A child's environment is made by the supervisor, so they cannot come from outside.
 * Leaks are not looked for at exit: that needs ptrace, which the sandbox forbids. The unit tests look for them. */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
    return "detect_leaks=0:abort_on_error=1:handle_abort=0";
}

const char *__ubsan_default_options(void)
{
    return "halt_on_error=1:abort_on_error=1:print_stacktrace=1";
}

/* Threads that are over when a program ends were nobody's to join any more. */
const char *__tsan_default_options(void)
{
    return "report_thread_leaks=0:halt_on_error=1:abort_on_error=1";
}
