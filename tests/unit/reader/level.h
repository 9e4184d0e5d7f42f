/* The reader's index beside a journal under test: what it says that it needs is brought from the folder, as audit would. Tests alone. */
#pragma once

#include "reader/follow.h"
#include "trail.h"

/* What is durable. */
struct follow_goal level_goal(const struct trail *t);
/* A file of the folder, or the keys. The descriptor. */
int level_open(const struct trail *t, uint64_t file);
/* Steps until it is level or broken; each file is brought at most once. */
enum follow_step level(const struct trail *t, struct follow *f, const struct follow_goal *goal);
/* It is level with all that is durable. */
void level_with(const struct trail *t, struct follow *f);
