/* A counter that carries its count and says its version; `hold` goes on until the file `held` is gone. What is wrong with it is
   defined by who compiles it. */
#include "modrack.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
MODRACK_NOTE("instances = 'shared'\nwit = 'package a:b; world module { use modrack:types/values@1.0.0.{value}; "
    "export count: func() -> s64; export version: func() -> s64; export hold: func() -> s64; }'\n");
#define F(name) static int32_t name(void *s, const modrack_context *c, const modrack_value *a, size_t n, modrack_output *out)
#define UNUSED (void)s; (void)c; (void)a; (void)n; (void)out
#define GIVE(given) do { out->value = (given); return MODRACK_OK; } while (0)
static int32_t make(const modrack_context *c, const modrack_value *params, void **instance, modrack_output *error) {
    (void)c; (void)params;
    if (START_FAILS) return modrack_fail(error, MODRACK_FAILED, "it does not start");
    *instance = calloc(1, sizeof(int64_t));
    return MODRACK_OK;
}
F(count) {
    UNUSED;
    if (COUNT_FAILS) return modrack_fail(out, MODRACK_FAILED, "it does not count");
    GIVE(modrack_int(__atomic_add_fetch((int64_t *)s, 1, __ATOMIC_SEQ_CST)));
}
F(version) { UNUSED; GIVE(modrack_int(VERSION)); }
F(hold) {
    UNUSED;
    FILE *in = fopen(FOLDER "/inside", "w");
    if (in != NULL) fclose(in);
    while (access(FOLDER "/held", F_OK) == 0) usleep(1000);
    GIVE(modrack_int(VERSION));
}
F(export_state) { UNUSED; GIVE(modrack_int(*(int64_t *)s)); }
F(import_state) {
    UNUSED;
    if (IMPORT_FAILS) return modrack_fail(out, MODRACK_FAILED, "it does not take it");
    *(int64_t *)s = a[0].payload.integer;
    GIVE(modrack_null());
}
F(shutdown) { UNUSED; if (SHUTDOWN_FAILS) return modrack_fail(out, MODRACK_FAILED, "it does not end"); GIVE(modrack_null()); }
static const modrack_function functions[] = {
    {MODRACK_STR("count"), count}, {MODRACK_STR("hold"), hold}, {MODRACK_STR("export_state"), export_state},
    {MODRACK_STR("import_state"), import_state}, {MODRACK_STR("shutdown"), shutdown},
#if !LACKS
    {MODRACK_STR("version"), version},
#endif
};
MODRACK_EXPORT const modrack_module modrack_module_v1 = {
    .head = MODRACK_HEAD(modrack_module), .flags = MODRACK_THREAD_SAFE, .create = make, .destroy = free,
    MODRACK_FUNCTIONS(functions) };
