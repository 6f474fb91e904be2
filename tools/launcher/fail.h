/* Says on standard error why the program does not start, and ends with status 1. The text names the cure. */
#pragma once

__attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...);
