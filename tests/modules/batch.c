/* Gives batches back as they are, in C: `batch.py` and `batch.wat` do the same. */

#include "short.h"

MODRACK_NOTE(
    "name = 'batch'\n"
    "takes = 'batch'\n"
    "wit = '''\n"
    "package suite:batch;\n"
    "world module {\n"
    "    use modrack:types/values@1.0.0.{table, error};\n"
    "    export transform: func(table: table) -> result<table, error>;\n"
    "}\n"
    "'''\n");

FUNCTION(transform) {
    UNUSED;
    GIVE(args[0]);
}

static const modrack_function functions[] = {{MODRACK_STR("transform"), transform}};

MODULE(.flags = MODRACK_THREAD_SAFE);
