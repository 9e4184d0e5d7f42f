/* A demand for factors, from its text to the image's form. For the compiler. Pure. */
#pragma once

#include "policy/image.h"

/* All but `text` of the demand. 0; 1 with `why`: what is wrong, and how it is written. */
int demand_parse(struct sk_slice text, struct image_demand *demand, char why[160]) sk_nodiscard;
