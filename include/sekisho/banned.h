/* Calls that cannot be used safely: naming one is a compile error. Included by the build in every C file. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define SK_BANNED(name) sk_banned_##name##_use_a_bounded_form

#undef strcpy
#define strcpy SK_BANNED(strcpy)
#undef strcat
#define strcat SK_BANNED(strcat)
#undef strncpy
#define strncpy SK_BANNED(strncpy)
#undef strncat
#define strncat SK_BANNED(strncat)
#undef sprintf
#define sprintf SK_BANNED(sprintf)
#undef vsprintf
#define vsprintf SK_BANNED(vsprintf)
#undef gets
#define gets SK_BANNED(gets)
#undef strtok
#define strtok SK_BANNED(strtok)
#undef atoi
#define atoi SK_BANNED(atoi)
#undef atol
#define atol SK_BANNED(atol)
#undef gmtime
#define gmtime SK_BANNED(gmtime)
#undef localtime
#define localtime SK_BANNED(localtime)
#undef ctime
#define ctime SK_BANNED(ctime)
#undef asctime
#define asctime SK_BANNED(asctime)
#undef system
#define system SK_BANNED(system)
#undef popen
#define popen SK_BANNED(popen)
#undef rand
#define rand SK_BANNED(rand)
#undef random
#define random SK_BANNED(random)
#undef alloca
#define alloca SK_BANNED(alloca)
