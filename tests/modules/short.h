/* Short ways to write the modules of the tests in C. */

#ifndef SHORT_H
#define SHORT_H

#include "modrack.h"

#include <string.h>

/* A function of a module, and the value that it gives. */
#define FUNCTION(name)                                                                              \
    static int32_t name(void *self, const modrack_context *context, const modrack_value *args,      \
                        size_t count, modrack_output *output)
#define UNUSED (void)self; (void)context; (void)args; (void)count; (void)output
#define GIVE(given) do { output->value = (given); return MODRACK_OK; } while (0)

/* Values that are there for good. */
#define NOTHING {MODRACK_TAG_NULL, 0, 0, {0}}
#define INT(said) {MODRACK_TAG_INT, 0, 0, {said}}
#define TEXT(said) {MODRACK_TAG_TEXT, 0, sizeof(said) - 1, {.bytes = (const uint8_t *)(said)}}
#define LIST(said) {MODRACK_TAG_LIST, 0, sizeof(said) / sizeof((said)[0]), {.items = (said)}}
#define MAP(said) {MODRACK_TAG_MAP, 0, sizeof(said) / sizeof((said)[0]), {.entries = (said)}}

/* What a map has under a name; nothing where it has none. */
MODRACK_UNUSED static modrack_value field(const modrack_value *map, const char *name) {
    for (size_t i = 0; i < map->len; i++) {
        modrack_str key = map->payload.entries[i].key;
        if (key.len == strlen(name) && memcmp(key.data, name, key.len) == 0) {
            return map->payload.entries[i].value;
        }
    }
    return modrack_null();
}

/* The table of a module: its functions, as `{MODRACK_STR("name"), name}`, and what else it has. */
#define MODULE(...)                                                                                 \
    MODRACK_EXPORT const modrack_module modrack_module_v1 = {                                       \
        .head = MODRACK_HEAD(modrack_module), MODRACK_FUNCTIONS(functions), __VA_ARGS__}

#endif
