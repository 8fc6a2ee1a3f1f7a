/* Check digits of card numbers, as a module in C: one function of text, one of a column of a table. */

#include "modrack.h"

#include <stdlib.h>
#include <string.h>

/* What the module says of itself: read from the file, without running it. */
MODRACK_NOTE(
    "name = \"luhn\"\n"
    "version = \"1.0.0\"\n"
    "description = \"Check digits of card numbers\"\n"
    "wit = '''\n"
    "/// Check digits of card numbers.\n"
    "package example:luhn;\n"
    "\n"
    "world module {\n"
    "    use modrack:types/values@1.0.0.{table};\n"
    "\n"
    "    /// Whether a number ends with the right check digit.\n"
    "    export is-valid: func(number: string) -> bool;\n"
    "\n"
    "    /// How many rows of the first column, of text, are valid numbers.\n"
    "    export count-valid: func(rows: table) -> s64;\n"
    "}\n"
    "'''\n"
    "\n"
    "[params.separator]\n"
    "type = \"string\"\n"
    "default = \" \"\n"
    "doc = \"The character that may stand between digits\"\n");

/* An instance: what `create` makes of the parameters. It is not written to afterwards, so calls may come from
 * several threads at once. */
typedef struct {
    uint8_t separator;
} luhn;

static int32_t create(const modrack_context *context, const modrack_value *params, void **instance,
                      modrack_output *error) {
    (void)context;
    uint8_t separator = ' ';
    for (size_t i = 0; i < params->len; i++) {
        const modrack_entry *entry = &params->payload.entries[i];
        if (entry->key.len == 9 && memcmp(entry->key.data, "separator", 9) == 0) {
            if (entry->value.tag != MODRACK_TAG_TEXT || entry->value.len != 1) {
                return modrack_fail(error, MODRACK_FAILED, "`separator` must be one character");
            }
            separator = entry->value.payload.bytes[0];
        }
    }
    luhn *self = malloc(sizeof *self);
    if (self == NULL) {
        return modrack_fail(error, MODRACK_FAILED, "there is no memory left");
    }
    self->separator = separator;
    *instance = self;
    return MODRACK_OK;
}

static void destroy(void *instance) {
    free(instance);
}

static int holds(const luhn *self, const uint8_t *text, size_t len) {
    int sum = 0, digits = 0;
    for (size_t i = len; i > 0; i--) {
        uint8_t c = text[i - 1];
        if (c == self->separator) {
            continue;
        }
        if (c < '0' || c > '9') {
            return 0;
        }
        int digit = c - '0';
        if (digits % 2 == 1) {
            digit = digit > 4 ? digit * 2 - 9 : digit * 2;
        }
        sum += digit;
        digits++;
    }
    return digits > 1 && sum % 10 == 0;
}

/* The arguments are of the types that the WIT says: modrack looks before it calls. */
static int32_t is_valid(void *instance, const modrack_context *context, const modrack_value *args,
                        size_t count, modrack_output *output) {
    (void)context;
    (void)count;
    output->value = modrack_bool(holds(instance, args[0].payload.bytes, args[0].len));
    return MODRACK_OK;
}

/* A table is read where it lies, as the Arrow C Data Interface lays it out. */
static int32_t count_valid(void *instance, const modrack_context *context, const modrack_value *args,
                           size_t count, modrack_output *output) {
    (void)count;
    const modrack_table *table = args[0].payload.table;
    if (table->schema->n_children < 1 || strcmp(table->schema->children[0]->format, "u") != 0) {
        return modrack_fail(output, MODRACK_BAD_ARGUMENTS, "the first column must be text");
    }
    const struct ArrowArray *column = table->array->children[0];
    const uint8_t *present = column->buffers[0];
    const int32_t *offsets = column->buffers[1];
    const uint8_t *text = column->buffers[2];
    int64_t valid = 0;
    for (int64_t i = 0; i < column->length; i++) {
        if (i % 4096 == 0 && modrack_is_cancelled(context)) {
            return MODRACK_CANCELLED;
        }
        int64_t at = column->offset + i;
        if (present == NULL || (present[at / 8] >> (at % 8) & 1) != 0) {
            valid += holds(instance, text + offsets[at], (size_t)(offsets[at + 1] - offsets[at]));
        }
    }
    output->value = modrack_int(valid);
    return MODRACK_OK;
}

static const modrack_function functions[] = {
    {MODRACK_STR("is_valid"), is_valid},
    {MODRACK_STR("count_valid"), count_valid},
};

MODRACK_EXPORT const modrack_module modrack_module_v1 = {
    .head = MODRACK_HEAD(modrack_module),
    .flags = MODRACK_THREAD_SAFE,
    MODRACK_FUNCTIONS(functions),
    .create = create,
    .destroy = destroy,
};
